//! The keys that the provider knows, and other secrets that are planted.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

use super::{APIS, Shop};

impl Shop {
    /// Every secret value that was planted.
    #[must_use]
    pub fn planted(&self) -> Vec<&str> {
        self.keys
            .values()
            .map(|key| secret_part(key))
            .chain(self.secrets.values().map(String::as_str))
            .collect()
    }

    /// Those of them that no sidecar of a development namespace may have been
    /// sent: live keys, and what tokens are obtained with.
    #[must_use]
    pub fn never_in_development(&self) -> Vec<&str> {
        let live = self.keys.iter().filter(|(name, _)| name.ends_with("-live"));
        let kept = (self.secrets.iter()).filter(|(name, _)| *name != "issued");
        live.map(|(_, key)| secret_part(key))
            .chain(kept.map(|(_, secret)| secret.as_str()))
            .collect()
    }
}

/// By API and variant, such as `payments-dev`: those of the two environments,
/// and `rotated`, which no Secret holds at first.
pub(super) fn keys() -> Result<BTreeMap<String, String>> {
    let mut keys = BTreeMap::new();
    for api in APIS {
        for variant in ["dev", "live", "rotated"] {
            let random = random()?;
            let key = if api == "ledger" {
                format!("clerk:{random}")
            } else {
                random
            };
            keys.insert(format!("{api}-{variant}"), key);
        }
    }
    Ok(keys)
}

/// What an authorization server is started with: secrets of a client, old and
/// new, first refresh tokens, and how everything that it gives begins.
pub(super) fn secrets() -> Result<BTreeMap<String, String>> {
    let names = [
        "client",
        "client-next",
        "refresh",
        "refresh-lenient",
        "issued",
    ];
    let secrets = names.map(|name| Ok((name.to_owned(), random()?)));
    secrets.into_iter().collect()
}

/// Without the name of a user.
fn secret_part(key: &str) -> &str {
    key.split_once(':').map_or(key, |(_, secret)| secret)
}

fn random() -> Result<String> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes)
        .ok()
        .context("no randomness")?;
    // With characters that a query must encode and base64 has.
    Ok(format!(
        "k+/{}=",
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    ))
}
