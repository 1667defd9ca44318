//! `credence call`.

use std::collections::BTreeMap;

use serde_json::json;

use crate::api_server::ApiServer;
use crate::command::{Running, assert_silent, get_until, output, output_of, text};
use crate::folder::{Folder, authority, collection, secret};
use crate::provider::Provider;

const DEV: &str = "dev_70fb3c9e12";

fn shop(provider: &Provider) -> Folder {
    Folder::empty()
        .with("shop.yaml", &collection("shop", provider.address))
        .with("dev.yaml", &secret("shop-dev", DEV))
        .with("authority.yaml", &authority(&provider.pem))
}

#[test]
fn a_call_goes_through_the_proxy_that_runs_here() {
    let provider = Provider::start();
    let folder = shop(&provider);
    let running = Running::serve(folder.path(), &[]);
    let proxy = running.address("proxy");
    get_until(proxy, "/shop/a", DEV);
    let proxy = format!("localhost:{}", proxy.port());
    let call = |arguments: &[&str]| {
        let arguments = [&["call", "--proxy", proxy.as_str()], arguments].concat();
        output_of(folder.path(), &arguments, "in=put")
    };
    let answered = call(&["shop", "items?x=1"]);
    assert_eq!(answered.status.code(), Some(0));
    assert_eq!(
        text(&answered.stdout),
        format!("/v1/items?x=1 Authorization: Bearer {DEV}")
    );
    let answered = call(&["shop", "-i"]);
    assert!(text(&answered.stdout).starts_with("HTTP/1.1 200 OK\n"));
    let unknown = call(&["other", "/", "-i"]);
    assert_eq!(unknown.status.code(), Some(1));
    let told = text(&unknown.stdout);
    assert!(
        told.contains("\ncredence-error: unknown-collection\n"),
        "{told}"
    );
    let wrong = call(&["shop", "/a b"]);
    assert_eq!(wrong.status.code(), Some(2));
}

#[test]
fn where_nothing_listens_it_says_what_to_start() {
    let folder = Folder::empty();
    // Bound and closed again: nobody answers there.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let ended = output(folder.path(), &["call", "shop", "--proxy", &address]);
    assert_eq!(ended.status.code(), Some(3));
    let told = text(&ended.stderr);
    assert!(told.contains("start `credence run PATH`"), "{told}");
}

fn pod(name: &str, phase: &str) -> serde_json::Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "shop"},
        "spec": {"containers": [{"name": "app"}], "initContainers": [{"name": "credence"}]},
        "status": {"phase": phase},
    })
}

#[test]
fn a_call_goes_through_a_pod_of_the_cluster() {
    let provider = Provider::start();
    let folder = shop(&provider);
    let running = Running::serve(folder.path(), &[]);
    let proxy = running.address("proxy");
    get_until(proxy, "/shop/a", DEV);
    let pods = json!({
        "apiVersion": "v1", "kind": "PodList", "metadata": {},
        "items": [pod("a", "Pending"), pod("b", "Running")],
    });
    let objects = BTreeMap::from([
        ("/api/v1/namespaces/shop/pods", pods),
        ("/api/v1/namespaces/shop/pods/b", pod("b", "Running")),
    ]);
    let server = ApiServer::start(objects, Ok(proxy));
    folder.write("config", &server.kubeconfig());
    for which in [&["-n", "shop"][..], &["--pod", "b"]] {
        let arguments = ["call", "shop", "/items", "--kubeconfig", "config"];
        let called = output(folder.path(), &[&arguments, which].concat());
        assert_eq!(
            text(&called.stdout),
            format!("/v1/items Authorization: Bearer {DEV}"),
            "{}",
            text(&called.stderr)
        );
        assert_eq!(called.status.code(), Some(0));
    }
    let arguments = ["call", "shop", "--kubeconfig", "config", "--pod", "gone"];
    let absent = output(folder.path(), &arguments);
    assert_eq!(absent.status.code(), Some(3));
    assert_silent(&text(&absent.stderr), &[DEV]);
}

#[test]
fn a_pod_that_cannot_be_reached_says_why() {
    let folder = Folder::empty();
    let objects = BTreeMap::from([("/api/v1/namespaces/shop/pods/b", pod("b", "Running"))]);
    let server = ApiServer::start(objects, Err("connection refused"));
    folder.write("config", &server.kubeconfig());
    let arguments = ["call", "shop", "--kubeconfig", "config", "--pod", "b"];
    let ended = output(folder.path(), &arguments);
    assert_eq!(ended.status.code(), Some(3));
    let told = text(&ended.stderr);
    assert_eq!(
        told,
        "pod \"b\" cannot be called at port 2733: connection refused\n"
    );
}
