//! The API server's audit log.

use anyhow::{Context, Result};
use credence_tests::shop::Shop;
use jiff::Timestamp;
use serde_json::Value;

/// Why a case that reads it is skipped elsewhere.
pub(crate) const ELSEWHERE: &str = "the API server's audit log is elsewhere";

/// Every request so far that fulfils the predicate, in the order of their ends.
pub(crate) fn requests(shop: &Shop, wanted: impl Fn(&Value) -> bool) -> Result<Vec<Value>> {
    let state = shop.cluster().state().context("a cluster of ours")?;
    let log = std::fs::read_to_string(state.path("log/audit.log")).context("the audit log")?;
    let mut found = Vec::new();
    // The last line may be half written.
    let (whole, _) = log.rsplit_once('\n').unwrap_or_default();
    for line in whole.lines() {
        let request: Value = serde_json::from_str(line)?;
        if wanted(&request) {
            found.push(request);
        }
    }
    Ok(found)
}

/// When the API server began to work on a request, in milliseconds since 1970.
pub(crate) fn begun(request: &Value) -> Result<u64> {
    let time = request["requestReceivedTimestamp"].as_str();
    let time: Timestamp = time.context("a time")?.parse()?;
    Ok(time.as_millisecond().try_into()?)
}

/// When each write of the object by a user was begun. The operator's and the
/// controllers' do not count.
pub(crate) fn writes(shop: &Shop, resource: &str, namespace: &str, name: &str) -> Result<Vec<u64>> {
    let written = requests(shop, |request| {
        let object = &request["objectRef"];
        let user = request["user"]["username"].as_str().unwrap_or_default();
        object["resource"] == resource
            && object["namespace"] == namespace
            && object["name"] == name
            && object["subresource"].is_null()
            && matches!(
                request["verb"].as_str(),
                Some("create" | "update" | "patch")
            )
            && request["responseStatus"]["code"]
                .as_u64()
                .is_some_and(|code| code < 300)
            && !user.starts_with("system:")
    })?;
    written.iter().map(begun).collect()
}
