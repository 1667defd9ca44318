//! What is said about tokens.

use std::fmt::Write as _;

use credence_crds::TokenStatus;
use serde::Serialize;

use crate::table::Paint;

/// The tokens of one collection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Report {
    /// Its name.
    pub(super) collection: String,
    /// Whether all of them are there.
    pub(super) ready: bool,
    /// How they stand, in sentences.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<String>,
    /// One for each environment in use.
    pub(super) tokens: Vec<Told>,
}

/// What is told of one token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Told {
    /// Of this environment.
    pub(super) environment: String,
    /// When it is from, and so on.
    #[serde(flatten)]
    pub(super) token: TokenStatus,
}

impl Report {
    /// For people.
    pub(super) fn text(&self, paint: Paint) -> String {
        let mut text = String::new();
        for Told { environment, token } in &self.tokens {
            let head = format!("{}, {environment}", self.collection);
            _ = writeln!(text, "{}", paint.bold(&head));
            let failures = (token.failures > 0).then(|| token.failures.to_string());
            for (name, value) in [
                ("obtained", &token.obtained_at),
                ("expires", &token.expires_at),
                ("scope", &token.scope),
                ("next refresh", &token.next_refresh_at),
                ("failures", &failures),
                ("last failure", &token.last_attempt_at),
                ("last error", &token.error),
            ] {
                if let Some(value) = value {
                    _ = writeln!(text, "  {name:<13} {value}");
                }
            }
        }
        if let Some(message) = &self.message {
            _ = writeln!(text, "{message}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_left_out() {
        let report = Report {
            collection: "crm".to_owned(),
            ready: false,
            message: Some("The token endpoint has not answered yet.".to_owned()),
            tokens: vec![
                Told {
                    environment: "live".to_owned(),
                    token: TokenStatus {
                        obtained_at: Some("2026-01-01T00:00:00Z".to_owned()),
                        scope: Some("orders.read orders.write".to_owned()),
                        failures: 2,
                        error: Some("invalid_client".to_owned()),
                        ..TokenStatus::default()
                    },
                },
                Told {
                    environment: "development".to_owned(),
                    token: TokenStatus::default(),
                },
            ],
        };
        assert_eq!(
            report.text(Paint::Plain),
            "crm, live\n  obtained      2026-01-01T00:00:00Z\n  \
             scope         orders.read orders.write\n  failures      2\n  last error    invalid_client\ncrm, development\n\
             The token endpoint has not answered yet.\n"
        );
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["tokens"][0]["obtainedAt"], "2026-01-01T00:00:00Z");
        assert_eq!(json["tokens"][1]["failures"], 0);
    }
}
