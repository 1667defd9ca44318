//! Why there is no answer.

use std::time::Duration;

use credence_core::jwt::signer::JwtError;
use credence_core::token::{AccountToken, AnswerError, MessageError};
use credence_net::{DialError, HandshakeError, TlsError};

use crate::account_tokens::NotIssued;
use crate::connection;
use crate::head::Unwritable;
use crate::issuer::Unanswered;

/// Why there is no answer, by what that says about the endpoint. Nothing that
/// was sent or received is quoted.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The endpoint cannot have acted.
    #[error(transparent)]
    NotSent(#[from] NotSent),
    /// The endpoint wants the request elsewhere, and so has not acted.
    #[error("the token endpoint answered {status}, a redirect, which is not followed")]
    Redirected {
        /// The status code.
        status: u16,
    },
    /// A request before the one for the token was refused, or gave not what it
    /// should.
    #[error("step {name}: {error}")]
    Step {
        /// Its name.
        name: String,
        /// What is wrong with its answer.
        error: AnswerError,
    },
    /// The endpoint may have acted, and may not.
    #[error(transparent)]
    OutcomeUnknown(#[from] OutcomeUnknown),
    /// The endpoint has acted, but its answer is not kept.
    #[error("the token endpoint's answer has more than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
}

/// Why nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum NotSent {
    /// There is nothing that could be sent.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// What it is to say cannot be signed.
    #[error("the JWT cannot be made: {0}")]
    Jwt(#[from] JwtError),
    /// There is nothing to exchange.
    #[error("{token} cannot be had: {error}")]
    Subject {
        /// What was to be exchanged.
        token: Box<AccountToken>,
        /// Why.
        #[source]
        error: NotIssued,
    },
    /// A request before this one got no answer.
    #[error("step {name}: {error}")]
    Step {
        /// Its name.
        name: String,
        /// Why.
        #[source]
        error: Box<ExchangeError>,
    },
    /// The order has neither a request nor a JWT.
    #[error("there is nothing to ask for")]
    NoRequest,
    /// A header that HTTP does not have.
    #[error("header {0} of the token request cannot be written")]
    Header(String),
    /// No connection.
    #[error("the token endpoint cannot be reached: {0}")]
    Dial(#[from] DialError),
    /// No way to secure one.
    #[error("the certificates for the token endpoint cannot be used: {0}")]
    Tls(#[from] TlsError),
    /// No session over it.
    #[error("the token endpoint cannot be trusted or spoken to: {0}")]
    Handshake(#[from] HandshakeError),
    /// The endpoint does not accept our certificate, or wants one.
    #[error(
        "the token endpoint does not accept the client certificate, or wants one that it is not \
         shown: check tlsSecretRef and token.mtls"
    )]
    ClientCertificate,
    /// The connection was gone again.
    #[error("the token endpoint closed the connection before anything was sent")]
    Closed(#[source] hyper::Error),
    /// It took too long.
    #[error("no connection to the token endpoint within {:.1} s", .0.as_secs_f32())]
    TimedOut(Duration),
}

/// Why it is not known what came of a request.
#[derive(Debug, thiserror::Error)]
pub enum OutcomeUnknown {
    /// The connection broke, or what came was no HTTP.
    #[error("the token endpoint gave no whole answer")]
    Broken(#[source] hyper::Error),
    /// It took too long.
    #[error("the token endpoint gave no whole answer within {:.1} s", .0.as_secs_f32())]
    TimedOut(Duration),
}

impl From<connection::NotOpened> for NotSent {
    fn from(error: connection::NotOpened) -> Self {
        match error {
            connection::NotOpened::Tls(error) => Self::Tls(error),
            connection::NotOpened::Handshake(error) => Self::Handshake(error),
            connection::NotOpened::Closed(error) => Self::Closed(error),
        }
    }
}

impl From<Unwritable> for ExchangeError {
    fn from(Unwritable(name): Unwritable) -> Self {
        NotSent::Header(name).into()
    }
}

impl From<connection::Unanswered> for ExchangeError {
    fn from(error: connection::Unanswered) -> Self {
        match error {
            connection::Unanswered::Unsent(error) => NotSent::Closed(error).into(),
            connection::Unanswered::ClientCertificate => NotSent::ClientCertificate.into(),
            connection::Unanswered::Broken(error) => OutcomeUnknown::Broken(error).into(),
        }
    }
}

impl From<ExchangeError> for Unanswered {
    fn from(error: ExchangeError) -> Self {
        match error {
            ExchangeError::NotSent(NotSent::Subject { .. }) => Self::NoSubject(error.to_string()),
            ExchangeError::NotSent(_) => Self::NotSent(error.to_string()),
            ExchangeError::Redirected { status } => Self::Redirected(status),
            ExchangeError::Step { name, error } => Self::Step { name, error },
            ExchangeError::OutcomeUnknown(_) | ExchangeError::TooLarge { .. } => {
                Self::Unknown(error.to_string())
            }
        }
    }
}
