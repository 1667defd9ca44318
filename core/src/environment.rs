//! Development or live.

use std::fmt;
use std::str::FromStr;

/// Which of a collection's two sets of credentials is used; a property of the
/// namespace that makes the calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Environment {
    /// No real effect. What is not marked is development.
    #[default]
    Development,
    /// Real money, mail and records.
    Live,
}

impl Environment {
    /// As labels, flags, the wire, the index and metrics spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Live => "live",
        }
    }

    /// As Kubernetes objects spell it (`status.environment`).
    pub const fn as_object_str(self) -> &'static str {
        match self {
            Self::Development => "Development",
            Self::Live => "Live",
        }
    }

    /// The environment of a namespace with this value of the label
    /// [`crate::names::ENVIRONMENT`]: whatever is absent or unknown is
    /// development, so that a typo never reaches live credentials.
    pub fn of_label(label: Option<&str>) -> Self {
        label
            .and_then(|value| value.parse().ok())
            .unwrap_or_default()
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text was neither `live` nor `development`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not an environment: write live or development")]
pub struct UnknownEnvironment(String);

impl FromStr for Environment {
    type Err = UnknownEnvironment;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "development" => Ok(Self::Development),
            "live" => Ok(Self::Live),
            other => Err(UnknownEnvironment(other.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_exactly_live_is_development() {
        for label in [None, Some(""), Some("Live"), Some("prod"), Some("live ")] {
            assert_eq!(Environment::of_label(label), Environment::Development);
        }
        assert_eq!(Environment::of_label(Some("live")), Environment::Live);
    }

    #[test]
    fn every_environment_survives_display_and_parse() {
        for environment in [Environment::Development, Environment::Live] {
            assert_eq!(environment.to_string().parse(), Ok(environment));
        }
    }
}
