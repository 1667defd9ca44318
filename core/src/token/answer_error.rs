//! Why an answer is not a token, and what helps.

use std::time::Duration;

use super::error_code::ErrorCode;

/// An answer without a usable token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct AnswerError {
    /// What is wrong with it.
    pub problem: AnswerProblem,
    /// For how long the server does not want to be asked again.
    pub retry_after: Option<Duration>,
}

/// What is wrong with an answer. The messages quote nothing of it but its
/// status and a code of the standards.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerProblem {
    /// The server said so.
    #[error("the token endpoint answered {status} with the error {code}")]
    Refused {
        /// The status code, which may be one of success.
        status: u16,
        /// The error that the body names.
        code: ErrorCode,
    },
    /// A status that is none of success, and no error in the body.
    #[error("the token endpoint answered {status}")]
    Status {
        /// The status code.
        status: u16,
    },
    /// The answer leads elsewhere, where no credentials are taken along
    /// (RFC 9700 §4.12).
    #[error(
        "the token endpoint answered {status}, a redirect, which is not followed: write the URL \
         that it leads to into token.url"
    )]
    Redirected {
        /// The status code.
        status: u16,
    },
    /// Success, but the field that must say so says otherwise.
    #[error(
        "the token endpoint's answer does not say that it is a success in the field \"{path}\": \
         check response.success"
    )]
    NotSuccess {
        /// The field, as the manifest writes it.
        path: String,
    },
    /// Success, but nothing in the body.
    #[error("the token endpoint answered {status} and nothing else")]
    Empty {
        /// The status code.
        status: u16,
    },
    /// Success, but a page.
    #[error("the token endpoint answered with a page of HTML or XML: check token.url")]
    Markup,
    /// Success, but neither text nor JSON.
    #[error("the token endpoint's answer is neither JSON nor a form")]
    Unreadable,
    /// Success, but a field is missing that there must be.
    #[error("the token endpoint's answer has no text at \"{path}\": check token.response")]
    Missing {
        /// The field, as the manifest writes it.
        path: String,
    },
    /// Success, but there is a refresh token that only the one who wrote the
    /// manifest can find.
    #[error(
        "the token endpoint's answer has its refresh token under another name than \"{path}\": \
         set token.response.refreshTokenPath"
    )]
    Elsewhere {
        /// The field where it was looked for, as the manifest writes it.
        path: String,
    },
    /// A value that no head of a request can hold.
    #[error("the token endpoint's answer has control characters at \"{path}\"")]
    ControlCharacter {
        /// The field, as the manifest writes it.
        path: String,
    },
    /// A value that no head of a request can hold, for its length.
    #[error("the token endpoint's answer has more than {limit} bytes at \"{path}\"")]
    TooLong {
        /// The field, as the manifest writes it.
        path: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// More than is kept of one answer.
    #[error("the fields of the token endpoint's answer that are used have more than {limit} bytes")]
    TooMuch {
        /// The limit in bytes.
        limit: usize,
    },
    /// A token that must be used in another way than it would be (RFC 6749
    /// §7.1).
    #[error("the token endpoint gives tokens of a type that proves possession, not bearer tokens")]
    TokenType,
}

/// What helps against a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Time.
    Wait,
    /// Another grant: for a refresh token that is no longer good, a person.
    Grant,
    /// A change of the collection, its Secret, or something at the provider.
    Change,
}

impl AnswerProblem {
    /// What helps.
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::Refused { code, .. } => match code {
                ErrorCode::InvalidGrant => Remedy::Grant,
                ErrorCode::InvalidClient
                | ErrorCode::UnauthorizedClient
                | ErrorCode::UnsupportedGrantType
                | ErrorCode::InvalidScope
                | ErrorCode::InvalidTarget => Remedy::Change,
                // The standards' word for anything odd, and what a person can
                // mend at the provider without a change here.
                ErrorCode::InvalidRequest
                | ErrorCode::AccessDenied
                | ErrorCode::ServerError
                | ErrorCode::TemporarilyUnavailable
                | ErrorCode::ConsentRequired
                | ErrorCode::InteractionRequired
                | ErrorCode::Other => Remedy::Wait,
            },
            Self::Status { .. }
            | Self::Redirected { .. }
            | Self::NotSuccess { .. }
            | Self::Empty { .. }
            | Self::Markup
            | Self::Unreadable
            // Providers stumble like that, too; when it cannot be that, the
            // one who knows what came before says so.
            | Self::Missing { .. } => Remedy::Wait,
            Self::Elsewhere { .. }
            | Self::ControlCharacter { .. }
            | Self::TooLong { .. }
            | Self::TooMuch { .. }
            | Self::TokenType => Remedy::Change,
        }
    }

    /// Whether the provider may have done what it was asked for, in spite of
    /// this answer: it may have replaced the refresh token.
    pub fn leaves_doubt(&self) -> bool {
        match self {
            Self::Refused { status, .. } | Self::Status { status } => {
                matches!(status, 500 | 502 | 504) || *status > 504
            }
            Self::Redirected { .. } | Self::NotSuccess { .. } => false,
            Self::Empty { .. }
            | Self::Markup
            | Self::Unreadable
            | Self::Missing { .. }
            | Self::Elsewhere { .. }
            | Self::ControlCharacter { .. }
            | Self::TooLong { .. }
            | Self::TooMuch { .. }
            | Self::TokenType => true,
        }
    }
}
