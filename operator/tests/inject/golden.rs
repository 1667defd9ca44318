//! Pods as the API server sends them, and what becomes of them. Each folder
//! of `golden/` holds `pod.json`, the `patch.json` for it (with the warnings)
//! and the `patched.json` that results. `UPDATE_GOLDEN=1` writes the latter
//! two anew.

use std::fs;
use std::path::{Path, PathBuf};

use credence_core::Environment;
use credence_operator::inject::{Decision, decide};
use serde_json::{Value, json};

use crate::fixture::{injected, settings};

fn cases() -> Vec<PathBuf> {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/inject/golden");
    let mut cases: Vec<_> = fs::read_dir(golden)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    cases.sort();
    assert!(!cases.is_empty());
    cases
}

fn read(path: &Path) -> Value {
    let text = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn compare(path: &Path, actual: &Value) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let text = serde_json::to_string_pretty(actual).unwrap() + "\n";
        fs::write(path, text).unwrap();
    }
    assert_eq!(&read(path), actual, "{}", path.display());
}

#[test]
fn pods_are_patched_as_recorded() {
    for case in cases() {
        let pod = read(&case.join("pod.json"));
        let decision = decide(&pod, Environment::Live, &settings());
        let patched = injected(&pod, &decision);
        let Decision::Inject(injection) = decision else {
            unreachable!("it was patched");
        };
        let warnings: Vec<_> = injection.warnings.iter().map(ToString::to_string).collect();
        let record = json!({"warnings": warnings, "patch": injection.patch});
        compare(&case.join("patch.json"), &record);
        compare(&case.join("patched.json"), &patched);
    }
}
