//! What a token endpoint says is wrong.

use std::fmt;

/// The codes that standards define for token endpoints. Anything else that an
/// answer calls its error is nobody's but the provider's, and is not repeated:
/// it could hold what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// A parameter is missing, repeated or unknown (RFC 6749 §5.2).
    InvalidRequest,
    /// The client did not prove who it is (RFC 6749 §5.2).
    InvalidClient,
    /// The refresh token, the assertion or the user's password is not, or no
    /// longer, good (RFC 6749 §5.2).
    InvalidGrant,
    /// The client may not use this grant (RFC 6749 §5.2).
    UnauthorizedClient,
    /// The server does not know this grant (RFC 6749 §5.2).
    UnsupportedGrantType,
    /// The scope is unknown, or more than was granted (RFC 6749 §5.2).
    InvalidScope,
    /// The audience or resource is unknown (RFC 8693 §2.2.2, RFC 8707 §2).
    InvalidTarget,
    /// The owner of the resource, or the server, said no (RFC 6749 §4.1.2.1).
    AccessDenied,
    /// Something broke there (RFC 6749 §4.1.2.1).
    ServerError,
    /// Overload or maintenance (RFC 6749 §4.1.2.1).
    TemporarilyUnavailable,
    /// A person must consent first (OpenID Connect Core §3.1.2.6).
    ConsentRequired,
    /// A person must sign in first (OpenID Connect Core §3.1.2.6).
    InteractionRequired,
    /// Something of the provider's own.
    Other,
}

impl ErrorCode {
    const ALL: [Self; 12] = [
        Self::InvalidRequest,
        Self::InvalidClient,
        Self::InvalidGrant,
        Self::UnauthorizedClient,
        Self::UnsupportedGrantType,
        Self::InvalidScope,
        Self::InvalidTarget,
        Self::AccessDenied,
        Self::ServerError,
        Self::TemporarilyUnavailable,
        Self::ConsentRequired,
        Self::InteractionRequired,
    ];

    /// As the standards spell it; `other` for what they do not know.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::AccessDenied => "access_denied",
            Self::ServerError => "server_error",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::ConsentRequired => "consent_required",
            Self::InteractionRequired => "interaction_required",
            Self::Other => "other",
        }
    }

    /// The code of this name.
    pub fn of_name(name: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|code| code.as_str() == name)
            .unwrap_or(Self::Other)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_codes_of_standards_are_known() {
        for code in ErrorCode::ALL {
            assert_eq!(ErrorCode::of_name(code.as_str()), code);
        }
        for name in ["", "Invalid_Grant", "invalid_grant ", "bad secret s3cr3t"] {
            assert_eq!(ErrorCode::of_name(name), ErrorCode::Other, "{name}");
        }
    }
}
