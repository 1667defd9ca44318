//! What the flags of `credence run` change.

use std::net::SocketAddr;

use crate::command::{Running, assert_silent, get, get_as, get_until, output, text};
use crate::folder::{Folder, authority, collection, secret};
use crate::provider::Provider;

const DEV: &str = "dev_1c9a77f0b2";
const LIVE: &str = "live_8d41e6aa93";

fn shop(provider: &Provider) -> Folder {
    Folder::empty()
        .with("shop.yaml", &collection("shop", provider.address))
        .with("authority.yaml", &authority(&provider.pem))
}

#[test]
fn a_collection_is_there_only_for_the_service_accounts_that_it_names() {
    let provider = Provider::start();
    let restricted = collection("shop", provider.address).replace(
        "spec:\n",
        "spec:\n  access: {serviceAccounts: [checkout]}\n",
    );
    let folder = shop(&provider)
        .with("shop.yaml", &restricted)
        .with("dev.yaml", &secret("shop-dev", DEV));
    let outside = Running::serve(folder.path(), &[]);
    outside.wait_for("choose one that it names with --service-account");
    assert!(get(outside.address("proxy"), "/shop/a").contains("unknown-collection"));
    let inside = Running::serve(folder.path(), &["--service-account", "checkout"]);
    get_until(inside.address("proxy"), "/shop/a", DEV);
}

#[test]
fn keys_come_from_variables_where_that_is_wanted() {
    let provider = Provider::start();
    let folder = shop(&provider);
    let set = [("SHOP_DEV_KEY", DEV), ("SHOP_LIVE_KEY", LIVE)];
    let unasked = Running::serve_with(folder.path(), &[], &set);
    unasked.wait_for("shop: SecretNotFound");
    let development = Running::serve_with(folder.path(), &["--env-secrets"], &set);
    get_until(development.address("proxy"), "/shop/a", DEV);
    let arguments = ["--env-secrets", "--environment", "live"];
    let live = Running::serve_with(folder.path(), &arguments, &set);
    get_until(live.address("proxy"), "/shop/a", LIVE);
    for running in [unasked, development, live] {
        assert_silent(&running.printed(), &[DEV, LIVE]);
    }
}

#[test]
fn a_variable_that_is_set_wins_over_a_document_and_one_that_is_not_is_named() {
    let provider = Provider::start();
    let folder = shop(&provider).with("dev.yaml", &secret("shop-dev", "dev_of_the_file"));
    let set = [("SHOP_DEV_KEY", DEV)];
    let both = Running::serve_with(folder.path(), &["--env-secrets"], &set);
    get_until(both.address("proxy"), "/shop/a", DEV);
    let unset = Running::serve(folder.path(), &["--env-secrets"]);
    get_until(unset.address("proxy"), "/shop/a", "dev_of_the_file");
    std::fs::remove_file(folder.path().join("dev.yaml")).unwrap();
    // An empty variable is as good as none.
    let set = [("SHOP_DEV_KEY", "")];
    let neither = Running::serve_with(folder.path(), &["--env-secrets"], &set);
    neither.wait_for("Secret \"shop-dev\" has no key \"key\"");
    neither.wait_for("Or set SHOP_DEV_KEY.");
    assert!(get(neither.address("proxy"), "/shop/a").contains("credentials-missing"));
}

#[test]
fn other_machines_are_let_in_only_by_a_name_that_was_allowed() {
    let provider = Provider::start();
    let folder = shop(&provider).with("dev.yaml", &secret("shop-dev", DEV));
    for incomplete in [
        vec!["run", ".", "--listen", "0.0.0.0:0"],
        vec!["run", ".", "--listen", "0.0.0.0:0", "--allow-remote"],
        vec!["run", ".", "--listen", "0.0.0.0:0", "--allow-host", "box"],
    ] {
        let refused = output(folder.path(), &incomplete);
        let told = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{told}");
        assert!(
            told.contains("add --allow-remote, and --allow-host"),
            "{told}"
        );
    }
    let running = Running::serve(
        folder.path(),
        &[
            "--listen",
            "0.0.0.0:0",
            "--allow-remote",
            "--allow-host",
            "box",
        ],
    );
    let proxy = running.address("proxy");
    let port = proxy.port();
    running.wait_for(&format!("whoever reaches 0.0.0.0:{port} can use"));
    running.wait_for(&format!("http://box:{port}/shop"));
    assert!(get_as("box", proxy, "/shop/a").contains(DEV));
    assert!(get_as("localhost", proxy, "/shop/a").contains(DEV));
    let before = provider.requests();
    for other in ["evil.example", "box.evil.example", "192.0.2.1"] {
        let answer = get_as(other, proxy, "/shop/a");
        assert!(answer.contains("forbidden-host"), "{answer}");
    }
    assert_eq!(provider.requests(), before);
}

/// The same collection with its key in another place.
fn placed(provider: &Provider, name: &str, place: &str) -> String {
    let header = "in: Header, name: Authorization, value: \"Bearer ${secret.key}\"";
    let manifest = collection(name, provider.address);
    assert!(manifest.contains(header), "{manifest}");
    manifest.replace(header, &format!("{place}, value: \"${{secret.key}}\""))
}

#[test]
fn no_level_of_detail_shows_a_secret() {
    let provider = Provider::start();
    let mut folder = shop(&provider)
        .with("dev.yaml", &secret("shop-dev", DEV))
        .with("live.yaml", &secret("shop-live", LIVE));
    for (name, place) in [
        ("seek", "in: Query, name: key"),
        ("jar", "in: Cookie, name: key"),
        ("bot", "in: Path"),
        ("gone", "in: Path"),
    ] {
        let manifest = placed(&provider, name, place);
        let nobody = SocketAddr::from(([127, 0, 0, 1], 1)).to_string();
        let manifest = match name {
            "gone" => manifest.replace(&provider.address.to_string(), &nobody),
            _ => manifest,
        };
        folder = folder.with(&format!("{name}.yaml"), &manifest).with(
            &format!("{name}-dev.yaml"),
            &secret(&format!("{name}-dev"), DEV),
        );
    }
    let running = Running::serve(folder.path(), &["-vvv"]);
    let (proxy, admin) = (running.address("proxy"), running.address("admin"));
    for (path, seen) in [
        ("/shop/a", format!("/v1/a Authorization: Bearer {DEV}")),
        ("/seek/a", format!("/v1/a?key={DEV}")),
        ("/bot/a", format!("/v1/{DEV}/a")),
    ] {
        let answer = get(proxy, path);
        assert!(answer.contains(&seen), "{answer}");
    }
    assert!(get(proxy, "/jar/a").starts_with("HTTP/1.1 200"));
    let mut said = String::new();
    for path in ["/", "/none/a", "/shop/../a", "/gone/a"] {
        said += &get(proxy, path);
    }
    assert!(said.contains("upstream-unreachable"), "{said}");
    said += &get_as("evil.example", proxy, "/shop/a");
    said += &get(admin, "/metrics");
    folder.write("shop.yaml", "broken: [");
    running.wait_for("the last good state is still served");
    for name in ["shop", "seek", "jar", "bot", "gone"] {
        running.wait_for(&format!("answered collection=\"{name}\" method=\"GET\""));
    }
    let linted = output(folder.path(), &["lint", "."]);
    said += &text(&linted.stdout);
    said += &text(&linted.stderr);
    assert_silent(&(running.printed() + &said), &[DEV, LIVE]);
}

#[test]
fn kubectl_finds_it_as_a_plugin_of_its_own() {
    let folder = Folder::empty();
    let plugin = folder.path().join("kubectl-credence");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_credence"), &plugin).unwrap();
    let ended = std::process::Command::new(plugin)
        .args(["check", "--help"])
        .output()
        .unwrap();
    let printed = text(&ended.stdout);
    assert!(
        printed.contains("Usage: kubectl credence check [OPTIONS]"),
        "{printed}"
    );
}

#[test]
fn without_a_cluster_nothing_can_be_checked() {
    let folder = Folder::empty();
    let ended = output(folder.path(), &["check", "--kubeconfig", "absent"]);
    assert_eq!(ended.status.code(), Some(3));
    let told = text(&ended.stderr);
    assert!(told.starts_with("no cluster is configured: "), "{told}");
    let kubeconfig = "apiVersion: v1\nkind: Config\ncurrent-context: a\n\
        contexts: [{name: a, context: {cluster: a, user: a}}]\nusers: [{name: a, user: {}}]\n\
        clusters: [{name: a, cluster: {server: 'http://127.0.0.1:9'}}]\n";
    let folder = folder.with("config", kubeconfig);
    let ended = output(folder.path(), &["check", "--kubeconfig", "config"]);
    assert_eq!(ended.status.code(), Some(1));
    let told = text(&ended.stdout);
    assert!(
        told.contains("✗ the API server at http://127.0.0.1:9/ does not answer: "),
        "{told}"
    );
    assert!(told.ends_with("1 failure, 0 warnings\n"), "{told}");
}
