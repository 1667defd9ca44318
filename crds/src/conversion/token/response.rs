//! What an answer means.

use std::time::Duration;

use credence_core::token::{self, CaptureFrom, FieldPath, Lifetime, ResponseShape};

use super::{Reader, Subject};
use crate::token::{ExpiresKind, TokenResponse};

impl Reader {
    pub(super) fn response(&mut self, subject: &Subject<'_>) -> ResponseShape {
        let usual = TokenResponse::default();
        let response = subject.token.response.as_ref().unwrap_or(&usual);
        let shape = ResponseShape::default();
        let mut path = |member: &str, text: &str| {
            let field = subject.field(&format!("response.{member}"));
            self.keep(&field, text.parse::<FieldPath>())
        };
        let access_token = path("accessTokenPath", &response.access_token_path);
        let expires = path("expiresPath", &response.expires_path);
        let refresh_token = path("refreshTokenPath", &response.refresh_token_path);
        let base_url = response.base_url_path.as_deref();
        let base_url = base_url.and_then(|text| path("baseUrlPath", text));
        let success = response.success.as_ref().and_then(|success| {
            Some(token::Success {
                path: path("success.path", &success.path)?,
                equals: success.equals.clone(),
            })
        });
        ResponseShape {
            access_token: access_token.unwrap_or(shape.access_token),
            expires: expires.unwrap_or(shape.expires),
            expires_kind: response.expires_kind.into(),
            refresh_token: refresh_token.unwrap_or(shape.refresh_token),
            base_url,
            capture: self.captures(subject, response),
            success,
        }
    }

    fn captures(&mut self, subject: &Subject<'_>, response: &TokenResponse) -> Vec<token::Capture> {
        let mut captures: Vec<token::Capture> = Vec::new();
        for (at, capture) in response.capture.iter().enumerate() {
            if captures.iter().any(|other| other.name == capture.name) {
                self.problem(
                    subject.field(&format!("response.capture[{at}].name")),
                    format!("\"{}\" is there already: keep one of them", capture.name),
                );
            }
            let field = subject.field(&format!("response.capture[{at}].path"));
            if let Some(from) = self.keep(&field, capture.path.parse::<CaptureFrom>()) {
                captures.push(token::Capture {
                    name: capture.name.clone(),
                    from,
                });
            }
        }
        captures
    }

    pub(super) fn lifetime(&mut self, subject: &Subject<'_>) -> Lifetime {
        let Some(lifetime) = &subject.token.lifetime else {
            return Lifetime::default();
        };
        let mut duration = |member: &str, count: i32, unit: u64, least: i32| {
            if count < least {
                let field = subject.field(&format!("lifetime.{member}"));
                self.problem(field, format!("must be at least {least}"));
            }
            Duration::from_secs(u64::try_from(count).unwrap_or_default() * unit)
        };
        let default = lifetime.default_seconds;
        let keep_alive = lifetime.keep_alive_hours;
        Lifetime {
            default: default.map(|count| duration("defaultSeconds", count, 1, 1)),
            refresh_before: duration(
                "refreshBeforeSeconds",
                lifetime.refresh_before_seconds,
                1,
                0,
            ),
            keep_alive: keep_alive.map(|count| duration("keepAliveHours", count, 3600, 1)),
            grace: duration("graceSeconds", lifetime.grace_seconds, 1, 0),
        }
    }
}

impl From<ExpiresKind> for token::ExpiresKind {
    fn from(kind: ExpiresKind) -> Self {
        match kind {
            ExpiresKind::Auto => Self::Auto,
            ExpiresKind::Seconds => Self::Seconds,
            ExpiresKind::Milliseconds => Self::Milliseconds,
            ExpiresKind::EpochSeconds => Self::EpochSeconds,
            ExpiresKind::EpochMilliseconds => Self::EpochMilliseconds,
            ExpiresKind::Rfc3339 => Self::Rfc3339,
            ExpiresKind::DaysHoursMinutes => Self::DaysHoursMinutes,
        }
    }
}
