//! Cluster collections: whose they are, and what they do to others.

use std::net::SocketAddr;

use crate::command::{Running, assert_silent, get, get_until, output, text};
use crate::folder::{Folder, authority, collection, secret};
use crate::provider::Provider;

const KEY: &str = "dev_6b1f90cc27";
const LOCAL: &str = "dev_e07733ab41";

/// The collection of the same name, as one of the cluster.
fn of_cluster(name: &str, provider: SocketAddr, selector: &str) -> String {
    collection(name, provider)
        .replace("kind: ApiCollection", "kind: ClusterApiCollection")
        .replace(
            "spec:\n",
            &format!("spec:\n  namespaceSelector: {selector}\n"),
        )
}

fn inside(namespace: &str, manifest: &str) -> String {
    manifest.replacen(
        "metadata: {",
        &format!("metadata: {{namespace: {namespace}, "),
        1,
    )
}

fn namespace(labels: &str) -> String {
    format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: shop, labels: {{{labels}}}}}\n")
}

/// What the cluster's administrator keeps.
fn administrators(provider: &Provider, selector: &str) -> Folder {
    let credentials = "credence-credentials";
    Folder::empty()
        .with(
            "cluster/chat.yaml",
            &of_cluster("chat", provider.address, selector),
        )
        .with(
            "cluster/key.yaml",
            &inside(credentials, &secret("chat-dev", KEY)),
        )
        .with(
            "cluster/live.yaml",
            &inside(credentials, &secret("chat-live", "live_1")),
        )
        .with(
            "cluster/ca.yaml",
            &inside(credentials, &authority(&provider.pem)),
        )
}

#[test]
fn a_cluster_collection_is_served_where_its_selector_matches() {
    let provider = Provider::start();
    let folder = administrators(&provider, "{matchLabels: {team: shop}}")
        .with("namespace.yaml", &namespace("team: shop"));
    let running = Running::serve(folder.path(), &[]);
    running.wait_for("namespace shop, environment development");
    let printed = running.wait_for("apiKey   ready");
    assert!(
        printed.contains("chat (cluster)   development"),
        "{printed}"
    );
    let proxy = running.address("proxy");
    get_until(proxy, "/chat/a", KEY);
    // The label is followed like everything else.
    folder.write("namespace.yaml", &namespace("team: bakery"));
    get_until(proxy, "/chat/a", "unknown-collection");
    let printed = running.wait_for("spec.namespaceSelector does not select namespace \"shop\"");
    assert_silent(&printed, &[KEY]);
}

#[test]
fn a_namespace_is_selected_by_its_name_without_a_document() {
    let provider = Provider::start();
    let by_name = "{matchLabels: {kubernetes.io/metadata.name: shop}}";
    let folder = administrators(&provider, by_name);
    let shop = Running::serve(folder.path(), &["--namespace", "shop"]);
    get_until(shop.address("proxy"), "/chat/a", KEY);
    let other = Running::serve(folder.path(), &[]);
    other.wait_for("does not select namespace \"default\"");
    assert!(get(other.address("proxy"), "/chat/a").contains("unknown-collection"));
}

#[test]
fn service_accounts_of_a_cluster_collection_are_named_with_their_namespace() {
    let provider = Provider::start();
    let folder = administrators(&provider, "{}");
    let named = of_cluster("chat", provider.address, "{}").replace(
        "spec:\n",
        "spec:\n  access: {serviceAccounts: [default/checkout]}\n",
    );
    folder.write("cluster/chat.yaml", &named);
    let outside = Running::serve(folder.path(), &[]);
    outside.wait_for("does not name \"default/default\"");
    assert!(get(outside.address("proxy"), "/chat/a").contains("unknown-collection"));
    let inside = Running::serve(folder.path(), &["--service-account", "checkout"]);
    get_until(inside.address("proxy"), "/chat/a", KEY);
}

#[test]
fn a_collection_of_the_namespace_shadows_one_of_the_cluster() {
    let provider = Provider::start();
    let folder = administrators(&provider, "{}")
        .with(
            "shop/chat.yaml",
            &inside("shop", &collection("chat", provider.address)),
        )
        .with("shop/key.yaml", &inside("shop", &secret("chat-dev", LOCAL)))
        .with(
            "shop/live.yaml",
            &inside("shop", &secret("chat-live", "live_2")),
        )
        .with("shop/ca.yaml", &inside("shop", &authority(&provider.pem)));
    let running = Running::serve(folder.path(), &[]);
    get_until(running.address("proxy"), "/chat/a", LOCAL);
    running.wait_for("chat (cluster): shadowed");
    running.wait_for("Namespace \"shop\" has an ApiCollection of the same name");
    let linted = output(folder.path(), &["lint", "."]);
    let told = text(&linted.stdout);
    assert_eq!(
        told,
        "./cluster/chat.yaml:3:18: metadata.name: warning: namespace \"shop\" has an ApiCollection \
         of the same name at ./shop/chat.yaml:3:35, which is used there instead\n"
    );
    assert_eq!(linted.status.code(), Some(0));
}

#[test]
fn what_a_cluster_collection_refers_to_is_looked_for_in_its_own_place() {
    let provider = Provider::start();
    let folder = administrators(&provider, "{}").with("key.yaml", &secret("chat-dev", LOCAL));
    std::fs::remove_file(folder.path().join("cluster/key.yaml")).unwrap();
    let running = Running::serve(folder.path(), &[]);
    let told = "What a cluster collection refers to is in namespace \"credence-credentials\"";
    assert_silent(&running.wait_for(told), &[LOCAL]);
    let answer = get(running.address("proxy"), "/chat/a");
    assert!(answer.contains("credentials-missing"), "{answer}");
    let linted = output(folder.path(), &["lint", "."]);
    let told = text(&linted.stdout);
    assert!(
        told.contains(
            "Secret \"chat-dev\" is not in these files in namespace \"credence-credentials\""
        ),
        "{told}"
    );
    assert_eq!(linted.status.code(), Some(0));
}

#[test]
fn cluster_collections_are_checked_like_others() {
    let provider = Provider::start();
    let lint = |manifest: &str| {
        let folder = Folder::empty().with("chat.yaml", manifest);
        text(&output(folder.path(), &["lint", "chat.yaml"]).stdout)
    };
    let good = of_cluster("chat", provider.address, "{}");
    for (from, to, told) in [
        (
            "namespaceSelector",
            "namespaceselector",
            "unknown field \"namespaceselector\": did you mean \"namespaceSelector\"?",
        ),
        (
            "ClusterApiCollection",
            "ClusterApiColection",
            "did you mean \"ClusterApiCollection\"?",
        ),
        (
            "Bearer ${secret.key}",
            "Bearer sk_1",
            "spec.auth.apiKey.value: must take the key from the Secret",
        ),
        (
            "spec:\n",
            "spec:\n  developmentFallback: UseLive\n",
            "spec.developmentFallback",
        ),
        (
            "spec:\n",
            "spec:\n  access: {serviceAccounts: [checkout]}\n",
            "spec.access.serviceAccounts[0]",
        ),
    ] {
        let printed = lint(&good.replacen(from, to, 1));
        assert!(printed.contains(told), "{printed}");
        assert!(!printed.contains("sk_1"), "{printed}");
    }
}
