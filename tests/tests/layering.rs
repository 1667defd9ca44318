//! Which crate may depend on which: the arrows of ARCHITECTURE.md.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// Direct dependencies of each crate of the workspace, development ones left
/// out: a test may use what its subject may not.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version=1"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo starts");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo's metadata");
    let packages = metadata["packages"].as_array().expect("packages");
    packages
        .iter()
        .map(|package| {
            let name = package["name"].as_str().expect("a name").to_owned();
            let direct = package["dependencies"].as_array().expect("dependencies");
            let direct = direct
                .iter()
                .filter(|dependency| dependency["kind"] != "dev");
            let names = direct.filter_map(|dependency| dependency["name"].as_str());
            (name, names.map(str::to_owned).collect())
        })
        .collect()
}

fn own(dependencies: &BTreeSet<String>) -> BTreeSet<&str> {
    dependencies
        .iter()
        .filter_map(|name| name.strip_prefix("credence-"))
        .collect()
}

#[test]
fn arrows_between_crates_never_turn_back() {
    let all = dependencies();
    for (name, may) in [
        ("core", &[][..]),
        ("crds", &["core"]),
        ("net", &["core"]),
        ("sidecar", &["core", "net"]),
        ("broker", &["core", "net"]),
        ("operator", &["core", "crds", "broker"]),
        ("cli", &["core", "crds", "broker", "operator", "sidecar"]),
    ] {
        let has = own(&all[&format!("credence-{name}")]);
        let may = may.iter().copied().collect::<BTreeSet<_>>();
        assert!(
            has.is_subset(&may),
            "credence-{name} depends on {has:?}, and may on {may:?} only"
        );
    }
}

#[test]
fn the_domain_knows_no_runtime_and_the_proxy_no_kubernetes() {
    let all = dependencies();
    for (name, never) in [
        (
            "core",
            &["tokio", "hyper", "rustls", "kube", "k8s-openapi", "tracing"][..],
        ),
        ("net", &["kube", "k8s-openapi", "hyper"]),
        ("broker", &["kube", "k8s-openapi", "clap"]),
        ("sidecar", &["kube", "k8s-openapi", "clap"]),
        ("crds", &["tokio", "hyper", "rustls"]),
    ] {
        for dependency in never {
            assert!(
                !all[&format!("credence-{name}")].contains(*dependency),
                "{name} uses {dependency}"
            );
        }
    }
}
