//! Pods as the API server sends them, and what becomes of them in a live
//! namespace. Each folder of `golden/` holds `pod.json`, the `outcome.json` for
//! it, and the `patched.json` that results of an injection. `UPDATE_GOLDEN=1`
//! writes the latter two anew.

use std::fs;
use std::path::{Path, PathBuf};

use credence_operator::inject::{Decision, decide};
use serde_json::{Value, json};

use crate::fixture::{injected, live, settings};
use crate::layout::layout;

fn cases() -> Vec<PathBuf> {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/inject/golden");
    let mut cases: Vec<_> = fs::read_dir(golden)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    cases.sort();
    assert!(cases.len() >= 30);
    cases
}

fn read(path: &Path) -> Value {
    let text = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The pods of all cases.
pub(crate) fn pods() -> impl Iterator<Item = Value> {
    cases().into_iter().map(|case| read(&case.join("pod.json")))
}

fn compare(path: &Path, actual: &Value) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(path, layout(actual)).unwrap();
    }
    assert_eq!(&read(path), actual, "{}", path.display());
}

fn outcome(decision: &Decision) -> Value {
    match decision {
        Decision::Inject(injection) => {
            let warnings: Vec<_> = injection.warnings.iter().map(ToString::to_string).collect();
            json!({"inject": injection.reason(), "warnings": warnings, "patch": injection.patch})
        }
        Decision::Skip(skip) => json!({"skip": skip.as_str(), "warning": skip.warning()}),
        Decision::Deny(denial) => json!({"deny": denial.as_str(), "message": denial.to_string()}),
    }
}

#[test]
fn pods_become_what_is_recorded() {
    for case in cases() {
        let pod = read(&case.join("pod.json"));
        let decision = decide(&pod, &live(), &settings());
        compare(&case.join("outcome.json"), &outcome(&decision));
        let patched = case.join("patched.json");
        match &decision {
            Decision::Inject(_) => compare(&patched, &injected(&pod, &decision)),
            Decision::Skip(_) | Decision::Deny(_) => assert!(!patched.exists(), "{patched:?}"),
        }
    }
}
