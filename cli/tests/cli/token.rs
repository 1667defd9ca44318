//! `credence token`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::api_server::ApiServer;
use crate::command::{assert_silent, get_until, output, text};
use crate::folder::Folder;
use crate::issuer::Issuer;
use crate::tokens::{CLIENT_CREDENTIALS, Laptop, interrupt};

#[test]
fn what_a_run_keeps_is_told_and_never_a_token() {
    let issuer = Issuer::start(3600);
    let laptop = Laptop::new(&issuer, CLIENT_CREDENTIALS);
    let token = |arguments: &[&str]| laptop.output(&[&["token", "api"], arguments].concat());
    let before = token(&["-f", "."]);
    assert_eq!(before.status.code(), Some(1));
    assert!(text(&before.stdout).contains("Nothing is kept"));
    let running = laptop.run(&[]);
    get_until(running.address("proxy"), "/api/a", "access-1-");
    // Nor does it matter whether it still runs.
    interrupt(running);
    let shown = token(&["-f", "."]);
    let told = text(&shown.stdout);
    assert_eq!(shown.status.code(), Some(0), "{told}");
    for part in [
        "api, development\n  obtained      20",
        "\n  expires       20",
        "\n  next refresh  20",
        "\nThe token holds until 20",
    ] {
        assert!(told.contains(part), "{told}");
    }
    let printed = token(&["-f", ".", "-o", "json"]);
    let read: Value = serde_json::from_slice(&printed.stdout).unwrap();
    assert_eq!(read["ready"], true);
    assert_eq!(read["tokens"][0]["environment"], "development");
    assert_eq!(read["tokens"][0]["failures"], 0);
    let secrets = issuer.secrets();
    let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
    assert_silent(&told, &secrets);
    assert_silent(&text(&printed.stdout), &secrets);
    assert_eq!(issuer.asked().len(), 1);
}

#[test]
fn a_refusal_is_told_by_its_code() {
    let issuer = Issuer::start(3600);
    let wrong = CLIENT_CREDENTIALS.replace("id: app", "id: nobody");
    let laptop = Laptop::new(&issuer, &wrong);
    let running = laptop.run(&[]);
    running.wait_for("It is asked again when the collection or its Secret changes.");
    let shown = laptop.output(&["token", "api", "-f", "."]);
    assert_eq!(shown.status.code(), Some(1));
    let told = text(&shown.stdout);
    assert!(told.contains("  failures      1\n"), "{told}");
    assert!(told.contains("  last error    invalid_client\n"), "{told}");
}

#[test]
fn what_has_no_token_says_so() {
    let issuer = Issuer::start(3600);
    let laptop = Laptop::new(&issuer, "\n    none: {}");
    for (name, reason) in [
        ("api", "api needs no token: its method is none"),
        (
            "other",
            "there is no collection \"other\" for namespace default",
        ),
    ] {
        let ended = laptop.output(&["token", name, "-f", "."]);
        assert_eq!(ended.status.code(), Some(1));
        assert!(
            text(&ended.stderr).contains(reason),
            "{}",
            text(&ended.stderr)
        );
    }
}

#[test]
fn a_clusters_collections_are_told_from_their_status() {
    let object = |kind: &str, expires: &str| {
        json!({
            "apiVersion": "credence.dev/v1alpha1", "kind": kind, "metadata": {"name": "crm"},
            "spec": {"baseUrl": "https://api.example.com"},
            "status": {
                "environments": [{
                    "name": "Live", "ready": true,
                    "token": {"expiresAt": expires, "failures": 0},
                }],
                "conditions": [{
                    "type": "TokenReady", "status": "True", "reason": "Obtained",
                    "message": "The token holds.",
                    "lastTransitionTime": "2026-01-01T00:00:00Z",
                }],
            },
        })
    };
    let server = ApiServer::start(
        BTreeMap::from([
            (
                "/apis/credence.dev/v1alpha1/namespaces/shop/apicollections/crm",
                object("ApiCollection", "2026-01-01T00:00:00Z"),
            ),
            (
                "/apis/credence.dev/v1alpha1/clusterapicollections/crm",
                object("ClusterApiCollection", "2027-01-01T00:00:00Z"),
            ),
        ]),
        Err("not asked for"),
    );
    let folder = Folder::empty().with("config", &server.kubeconfig());
    let token = |arguments: &[&str]| {
        let all = [&["token", "--kubeconfig", "config"], arguments].concat();
        output(folder.path(), &all)
    };
    // The kubeconfig's own namespace.
    let own = token(&["crm"]);
    assert_eq!(
        text(&own.stdout),
        "crm, live\n  expires       2026-01-01T00:00:00Z\nThe token holds.\n",
        "{}",
        text(&own.stderr)
    );
    assert_eq!(own.status.code(), Some(0));
    let of_cluster = token(&["crm", "-n", "elsewhere"]);
    assert!(text(&of_cluster.stdout).contains("2027-01-01"));
    let absent = token(&["other"]);
    assert_eq!(absent.status.code(), Some(1));
    assert!(text(&absent.stderr).contains("there is no ApiCollection \"other\""));
}
