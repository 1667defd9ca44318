//! When nobody calls any more who is about to go.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use credence_core::names;
use serde_json::Value;

use super::{PATIENCE, Shop};
use crate::wait;

impl Shop {
    /// Waits until no pod with a sidecar is left that is about to go: it could
    /// be calling still.
    ///
    /// # Errors
    /// There is one for a long time.
    pub fn until_quiet(&self) -> Result<()> {
        let kubectl = self.cluster.kubectl();
        let selector = format!("--selector={}", names::INJECTED);
        wait::until("pods to be gone", PATIENCE, || {
            let namespaces = kubectl.json(&["get", "namespaces"])?;
            let ending: BTreeSet<Option<&str>> = list(&namespaces)?
                .iter()
                .filter(|namespace| is_ending(namespace))
                .map(|namespace| namespace["metadata"]["name"].as_str())
                .collect();
            let pods = kubectl.json(&["get", "pods", "--all-namespaces", &selector])?;
            let going = list(&pods)?.iter().any(|pod| {
                is_ending(pod) || ending.contains(&pod["metadata"]["namespace"].as_str())
            });
            Ok((!going).then_some(()))
        })
    }
}

fn list(objects: &Value) -> Result<&[Value]> {
    let items = objects["items"].as_array();
    Ok(items.context("a list")?)
}

fn is_ending(object: &Value) -> bool {
    !object["metadata"]["deletionTimestamp"].is_null()
}
