//! The demo's credentials.

use std::fmt::Write as _;

use anyhow::anyhow;
use credence_core::{Environment, Secret};

/// Bytes of randomness in a key: nobody guesses 16.
const RANDOM: usize = 16;

/// A credential of one environment, shaped as providers shape them: with a
/// prefix that says what it is for.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    environment: Environment,
    text: Secret,
}

impl Key {
    /// Makes one up.
    ///
    /// # Errors
    /// When the machine has no randomness.
    pub(crate) fn generate(environment: Environment) -> anyhow::Result<Self> {
        let mut random = [0; RANDOM];
        rustls::crypto::aws_lc_rs::default_provider()
            .secure_random
            .fill(&mut random)
            .map_err(|_| anyhow!("the machine has no randomness"))?;
        let mut text = prefix(environment).to_owned();
        for byte in random {
            write!(text, "{byte:02x}")?;
        }
        Ok(Self {
            environment,
            text: Secret::new(text),
        })
    }

    /// The key itself, for the Secret and for comparing.
    pub(crate) fn expose(&self) -> &str {
        self.text.expose()
    }

    /// The key as it may be shown.
    pub(crate) fn redacted(&self) -> String {
        format!("{}…", prefix(self.environment))
    }
}

const fn prefix(environment: Environment) -> &'static str {
    match environment {
        Environment::Development => "dev_",
        Environment::Live => "live_",
    }
}
