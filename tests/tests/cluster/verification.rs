//! Calls by which the operator sees whether a credential works.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use credence_core::Environment;
use credence_tests::shop::{PATIENCE, Shop};
use credence_tests::stolen::Window;
use credence_tests::wait::until;
use serde_json::json;

use crate::case::Case;
use crate::runner::note;
use crate::status::until_event;
use crate::tokens::condition;

pub(crate) const CASES: &[Case] = &[Case::parallel(
    "a wrong key is not verified and a right one is",
    a_wrong_key_is_not_verified_and_a_right_one_is,
)];

const COLLECTION: &str = "reports";
/// A replica that leads since less than a minute spreads its first calls over
/// five minutes.
const FIRST_CALL: Duration = Duration::from_secs(370);
/// Whatever changes, an API is called once a minute.
const RECHECKED: Duration = Duration::from_secs(80);

/// What the operator's own call shows of a key: that it is wrong, and when it is
/// mended, that it is right.
fn a_wrong_key_is_not_verified_and_a_right_one_is(shop: &Shop) -> Result<()> {
    shop.with_branch("verified", Environment::Development, |branch| {
        let until_verified = |status: &str| {
            until(&format!("Verified to be {status}"), FIRST_CALL, || {
                // There is none before the first plan.
                let verified = condition(branch, COLLECTION, "Verified").ok();
                Ok(verified.filter(|verified| verified["status"] == status))
            })
        };
        let told = |severity, reason| {
            until_event(shop, (branch.namespace(), COLLECTION), severity, reason)
        };
        let patch = |operation: serde_json::Value| {
            let operations = json!([operation]).to_string();
            let what = ["patch", "apicollection", COLLECTION];
            let how = ["--type=json", "-p", &operations];
            branch.kubectl(&[&what[..], &how].concat())
        };
        branch.write_secret("reports-dev", "api-key", "not-a-key-of-anybody")?;
        let verification = json!({"path": "/verify?limit=1", "intervalMinutes": 5});
        let begin = Instant::now();
        patch(json!({"op": "add", "path": "/spec/verification", "value": verification}))?;
        let failed = until_verified("False")?;
        let refused = begin.elapsed();
        ensure!(failed["reason"] == "VerificationFailed", "{failed}");
        let message = failed["message"].as_str().unwrap_or_default();
        for word in [
            "GET /verify?limit=1 is answered 401",
            "Secret \"reports-dev\"",
        ] {
            ensure!(message.contains(word), "no {word} in {message}");
        }
        ensure!(!message.contains("not-a-key"), "{message}");
        told("Warning", "VerificationFailed")?;
        let ready = condition(branch, COLLECTION, "Ready")?;
        ensure!(ready["status"] == "True", "{ready}");

        branch.write_secret("reports-dev", "api-key", shop.key("reports-dev"))?;
        let (begin, window) = (Instant::now(), Window::open()?);
        until_verified("True")?;
        let accepted = begin.elapsed();
        window.judge("the right key is verified", accepted, RECHECKED)?;
        told("Normal", "VerificationSucceeded")?;
        patch(json!({"op": "remove", "path": "/spec/verification"}))?;
        until("the condition to go", PATIENCE, || {
            Ok(condition(branch, COLLECTION, "Verified")
                .is_err()
                .then_some(()))
        })?;
        note(format!(
            "refused after {:.1} s, accepted after {:.1} s",
            refused.as_secs_f64(),
            accepted.as_secs_f64()
        ));
        Ok(())
    })
}
