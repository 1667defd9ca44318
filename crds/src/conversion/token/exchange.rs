//! Tokens that are obtained for other tokens.

use std::time::Duration;

use credence_core::collection::{AccountSettings, Flow, Subject};
use credence_core::names::AUDIENCE;

use super::Reader;
use crate::token::{ServiceAccountToken, TokenExchange};

const OF: &str = "spec.auth.tokenExchange";

/// RFC 8693 §3.
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

impl Reader {
    pub(super) fn exchange(&mut self, method: &TokenExchange) -> Option<Flow> {
        let subject = match (&method.subject_token, &method.service_account_token) {
            (Some(token), None) => {
                let field = format!("{OF}.subjectToken");
                let token = self.of_secret(&field, "subject-token", token);
                token.map(Subject::Held)
            }
            (None, Some(token)) => {
                if method.token.body.is_some() {
                    self.problem(
                        format!("{OF}.token.body"),
                        "cannot be written beside serviceAccountToken, which is sent as the field subject_token: write params instead",
                    );
                }
                let settings = self.account_token(token);
                settings.map(Subject::ServiceAccount)
            }
            (Some(_), Some(_)) | (None, None) => {
                self.problem(
                    OF,
                    "takes exactly one of subjectToken, such as \"${secret.subject-token}\", and serviceAccountToken",
                );
                None
            }
        };
        let usual = match &method.service_account_token {
            Some(_) => JWT,
            None => ACCESS_TOKEN,
        };
        let kind = method.subject_token_type.as_deref().unwrap_or(usual);
        // RFC 8693 §2.1.
        if kind.chars().any(|c| !c.is_ascii_graphic()) || !kind.contains(':') {
            self.problem(
                format!("{OF}.subjectTokenType"),
                "must be a URI, such as urn:ietf:params:oauth:token-type:jwt",
            );
        }
        Some(Flow::TokenExchange {
            subject: subject?,
            subject_token_type: kind.to_owned(),
        })
    }

    fn account_token(&mut self, token: &ServiceAccountToken) -> Option<AccountSettings> {
        let ServiceAccountToken {
            name,
            audience,
            expiration_seconds,
        } = token;
        let field = format!("{OF}.serviceAccountToken.audience");
        if audience == AUDIENCE {
            self.problem(
                &field,
                "must not be credence, which is that of the feed: write the one that the provider demands",
            );
        }
        if audience.is_empty()
            || audience
                .chars()
                .any(|c| c.is_control() || c.is_whitespace())
        {
            self.problem(
                &field,
                "must be one word, without white space: what the provider demands of the claim aud",
            );
        }
        let seconds = u64::try_from(*expiration_seconds).ok();
        let seconds = seconds.filter(|seconds| (600..=86_400).contains(seconds));
        if seconds.is_none() {
            self.problem(
                format!("{OF}.serviceAccountToken.expirationSeconds"),
                "must be from 600 to 86400",
            );
        }
        Some(AccountSettings {
            name: name.clone(),
            audience: audience.clone(),
            lifetime: Duration::from_secs(seconds?),
        })
    }
}
