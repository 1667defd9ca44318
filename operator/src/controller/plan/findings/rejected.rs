//! A credential that the provider refuses, and what may be the cause.

use credence_core::Environment;
use credence_core::reception::Said;
use credence_crds::MethodName;
use credence_crds::condition::reason;

use crate::controller::conditions::{Status, Verdict};

/// A refused credential.
pub(super) struct Refused<'a> {
    /// How calls are authenticated.
    pub(super) method: MethodName,
    /// The environment whose credential it is.
    pub(super) environment: Environment,
    /// The Secret with the value that is sent.
    pub(super) secret: Option<&'a str>,
    /// The Secret with the client certificate.
    pub(super) certificate: Option<&'a str>,
    /// What the provider said.
    pub(super) said: Said,
}

/// The condition of an API that refuses what the token endpoint has just given.
pub(super) fn fresh_token(environment: Environment) -> Verdict {
    let message = format!(
        "The API refuses the access token ({environment}), and did so again after a new one was \
         obtained: it is not the token's age. Compare scopes, audience and base URL of the \
         collection with what the API wants, and see whether the account may use it; where the \
         API answers so for another reason, change spec.refreshOn."
    );
    Verdict::new(Status::True, reason::FRESH_TOKEN_REFUSED, message)
}

/// The condition. The answer's status and whether the credential has worked
/// are all there is to tell the causes apart by.
pub(super) fn rejected(refused: &Refused<'_>) -> Verdict {
    let Refused {
        method,
        environment,
        secret,
        certificate,
        said,
    } = refused;
    let Some(status) = said.status else {
        let message = match certificate {
            Some(secret) => format!(
                "The API refuses the client certificate in Secret \"{secret}\" ({environment}): it \
                 was revoked, or is of an authority or for a purpose that the API does not take. \
                 Put the one that is valid now, with its key, into the Secret."
            ),
            None => format!(
                "The API wants a client certificate ({environment}), and there is none. \
                 Name the Secret with it in tlsSecretRef of the environment."
            ),
        };
        return Verdict::new(Status::True, reason::CLIENT_CERTIFICATE_REFUSED, message);
    };
    let held = secret.or(*certificate);
    let held = held.map_or_else(String::new, |secret| format!(" in Secret \"{secret}\""));
    let what = match method {
        MethodName::Basic => "user name and password",
        MethodName::ClientCertificate => "client certificate",
        MethodName::None | MethodName::ApiKey => "credential",
        MethodName::Oauth2ClientCredentials
        | MethodName::Oauth2Password
        | MethodName::Oauth2RefreshToken
        | MethodName::Oauth2CustomToken
        | MethodName::JwtBearer
        | MethodName::TokenExchange => "access token",
        MethodName::SignedJwt => "signed JWT",
        MethodName::AwsSigV4 => "signature with the access key",
    };
    if said.worked {
        let ended = match method {
            MethodName::Basic => "the password was changed, or the account was closed",
            MethodName::None
            | MethodName::ApiKey
            | MethodName::ClientCertificate
            | MethodName::AwsSigV4
            | MethodName::Oauth2ClientCredentials
            | MethodName::Oauth2Password
            | MethodName::Oauth2RefreshToken
            | MethodName::Oauth2CustomToken
            | MethodName::JwtBearer
            | MethodName::TokenExchange
            | MethodName::SignedJwt => "it has expired, or was replaced or revoked there",
        };
        let message = format!(
            "The API answers {status} to the {what}{held} ({environment}), which it accepted \
             before: {ended}. Put the one that is valid now into the Secret; the next call uses it."
        );
        return Verdict::new(Status::True, reason::NO_LONGER_ACCEPTED, message);
    }
    let message = format!(
        "The API answers {status} to the {what}{held} ({environment}), and has not accepted it \
         since it is in use: it is mistyped, of another account or environment, revoked or not \
         active yet, or the API wants it in another way. Put the right one into the Secret, or \
         change spec.auth to what the API's documentation says; the next call uses it."
    );
    Verdict::new(Status::True, reason::NEVER_ACCEPTED, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(method: MethodName, status: Option<u16>, worked: bool) -> Refused<'static> {
        Refused {
            method,
            environment: Environment::Live,
            secret: Some("openai-live"),
            certificate: None,
            said: Said {
                status,
                worked,
                generation: None,
                named: false,
            },
        }
    }

    /// Requirement 68.
    #[test]
    fn the_causes_of_a_refusal_are_told_apart_as_far_as_the_answers_allow() {
        let with_certificate = Refused {
            certificate: Some("client"),
            ..refused(MethodName::ApiKey, None, false)
        };
        for (refused, reason, words) in [
            (
                refused(MethodName::ApiKey, Some(401), true),
                "NoLongerAccepted",
                [
                    "expired, or was replaced or revoked",
                    "Secret \"openai-live\" (live)",
                ],
            ),
            (
                refused(MethodName::Basic, Some(401), true),
                "NoLongerAccepted",
                ["password was changed", "answers 401"],
            ),
            (
                refused(MethodName::ApiKey, Some(401), false),
                "NeverAccepted",
                ["mistyped", "change spec.auth"],
            ),
            (
                refused(MethodName::ApiKey, None, false),
                "ClientCertificateRefused",
                ["wants a client certificate", "tlsSecretRef"],
            ),
            (
                with_certificate,
                "ClientCertificateRefused",
                ["in Secret \"client\"", "revoked"],
            ),
        ] {
            let verdict = rejected(&refused);
            assert_eq!(verdict.reason, reason);
            for word in words {
                assert!(
                    verdict.message.contains(word),
                    "{word}: {}",
                    verdict.message
                );
            }
        }
    }
}
