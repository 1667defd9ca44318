//! The keys that the provider knows.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

use super::APIS;

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
