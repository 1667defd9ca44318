//! Collections with a port of their own.

use std::net::{SocketAddr, TcpListener};

use crate::command::{Running, get, get_until, output, text};
use crate::folder::{Folder, authority, collection, secret};
use crate::provider::Provider;

const KEY: &str = "dev_0d5e9b2c71";
const OTHER: &str = "dev_b7a1f3608e";

/// A port that nobody has at the moment.
fn free() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Two collections that want the same port.
fn rivals(provider: &Provider, port: u16) -> Folder {
    let with_port = |name: &str| {
        let spec = format!("spec:\n  sidecarPort: {port}\n");
        collection(name, provider.address).replace("spec:\n", &spec)
    };
    Folder::empty()
        .with("a.yaml", &with_port("a"))
        .with("b.yaml", &with_port("b"))
        .with("a-dev.yaml", &secret("a-dev", KEY))
        .with("b-dev.yaml", &secret("b-dev", OTHER))
        .with("authority.yaml", &authority(&provider.pem))
}

#[test]
fn a_port_is_its_first_collections_and_the_other_is_told() {
    let provider = Provider::start();
    let port = free();
    let folder = rivals(&provider, port);
    let running = Running::serve(folder.path(), &[]);
    running.wait_for(&format!("a: also at http://localhost:{port}/"));
    running.wait_for("b: warning");
    running.wait_for(&format!(
        "Port {port} of spec.sidecarPort is that of \"a\", which comes first"
    ));
    get_until(running.address("proxy"), "/b/x", OTHER);
    let own = SocketAddr::from(([127, 0, 0, 1], port));
    let answer = get(own, "/x");
    assert!(
        answer.ends_with(&format!("/v1/x Authorization: Bearer {KEY}")),
        "{answer}"
    );
    // The port goes with its collection, and is the next one's then.
    std::fs::remove_file(folder.path().join("a.yaml")).unwrap();
    running.wait_for(&format!("b: also at http://localhost:{port}/"));
    get_until(running.address("proxy"), "/a/x", "unknown-collection");
}

#[test]
fn lint_tells_who_does_not_get_the_port() {
    let provider = Provider::start();
    let folder = rivals(&provider, 29001);
    let linted = output(folder.path(), &["lint", "."]);
    let told = text(&linted.stdout);
    assert!(
        told.contains("./b.yaml:5:16: spec.sidecarPort: warning: \"a\" has the same port"),
        "{told}"
    );
    assert_eq!(told.matches("spec.sidecarPort").count(), 1, "{told}");
    assert_eq!(linted.status.code(), Some(0));
}
