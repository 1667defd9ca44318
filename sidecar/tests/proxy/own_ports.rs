//! Collections with a port of their own.

use std::net::SocketAddr;

use credence_core::Secret;
use credence_core::bundle::{Route, Unavailable};
use tokio::net::TcpStream;

use crate::caller::Caller;
use crate::provider::{Provider, field};
use crate::rig::{KEY, Rig, changed, unavailable};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Whichever port is free.
fn own_port(route: &mut Route) {
    route.sidecar_port = Some(0);
}

/// The port that the index names.
async fn port(rig: &Rig) -> u16 {
    let index = rig.caller().await.get("/").await;
    let index: serde_json::Value = serde_json::from_slice(&index.body).unwrap();
    let url = index["collections"][0]["url"].as_str().unwrap().to_owned();
    let port = url.strip_prefix("http://localhost:").unwrap();
    port.parse().unwrap()
}

#[tokio::test]
async fn the_root_of_its_port_is_the_api() {
    let provider = Provider::answering(OK).await;
    let rig = Rig::whose(&provider, own_port);
    let port = port(&rig).await;
    for address in [format!("127.0.0.1:{port}"), format!("[::1]:{port}")] {
        let address: SocketAddr = address.parse().unwrap();
        // This machine may have no IPv6.
        if address.is_ipv6() && TcpStream::connect(address).await.is_err() {
            continue;
        }
        let mut caller = Caller::connect(address).await;
        for (target, expected) in [
            ("/", "/v1/"),
            ("/?a", "/v1/?a"),
            ("/api/x", "/v1/api/x"),
            ("//x", "/v1//x"),
            ("http://localhost/y", "/v1/y"),
        ] {
            assert_eq!(caller.get(target).await.text(), "ok");
            let head = provider.heads().pop().unwrap();
            assert!(
                head.starts_with(&format!("GET {expected} HTTP/1.1\r\n")),
                "{head}"
            );
            assert_eq!(field(&head, "authorization"), Some(KEY));
        }
    }
    assert_eq!(rig.caller().await.get("/api/x").await.text(), "ok");
}

#[tokio::test]
async fn what_is_refused_on_the_common_port_is_refused_there() {
    let provider = Provider::answering(OK).await;
    let rig = Rig::whose(&provider, own_port);
    let address: SocketAddr = ([127, 0, 0, 1], port(&rig).await).into();
    for (request, slug) in [
        (
            "GET /x HTTP/1.1\r\nHost: evil.example\r\n\r\n",
            "forbidden-host",
        ),
        (
            "GET /x HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example\r\n\r\n",
            "forbidden-origin",
        ),
        (
            "GET /../x HTTP/1.1\r\nHost: localhost\r\n\r\n",
            "bad-request",
        ),
        (
            "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
            "bad-request",
        ),
    ] {
        let mut caller = Caller::connect(address).await;
        caller.send(request).await;
        assert_eq!(caller.answer().await.slug(), Some(slug), "{request}");
    }
    assert_eq!(provider.connections(), 0);
}

#[tokio::test]
async fn redirects_lead_to_its_root() {
    let provider = Provider::start(|mut peer| async move {
        while let Some(head) = peer.head().await {
            let location = field(&head, "x-location").unwrap().to_owned();
            peer.send(format!(
                "HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
            ))
            .await;
        }
    })
    .await;
    let rig = Rig::whose(&provider, |route| {
        own_port(route);
        route.path = Some(Secret::new("/k1"));
    });
    let mut caller = Caller::connect(([127, 0, 0, 1], port(&rig).await).into()).await;
    let authority = provider.authority();
    for (location, expected) in [
        (
            format!("https://{authority}/v1/k1/a?b"),
            "http://localhost/a?b",
        ),
        ("/v1/k1".to_owned(), "/"),
        ("/v1/k1?b".to_owned(), "/?b"),
    ] {
        caller
            .send(format!(
                "GET / HTTP/1.1\r\nHost: localhost\r\nX-Location: {location}\r\n\r\n"
            ))
            .await;
        let answer = caller.answer().await;
        assert_eq!(answer.field("location"), Some(expected), "{location}");
    }
}

#[tokio::test]
async fn a_port_comes_and_goes_with_the_bundle() {
    let provider = Provider::answering(OK).await;
    let rig = Rig::whose(&provider, own_port);
    let address: SocketAddr = ([127, 0, 0, 1], port(&rig).await).into();
    let mut caller = Caller::connect(address).await;
    assert_eq!(caller.get("/").await.text(), "ok");
    // Who calls it while the collection has no credentials is told so.
    rig.apply([("api", unavailable(Unavailable::CredentialsMissing))]);
    assert_eq!(caller.get("/").await.slug(), Some("credentials-missing"));
    rig.apply([("api", changed(&provider, own_port))]);
    assert_eq!(caller.get("/").await.text(), "ok");
    rig.apply([("api", changed(&provider, |_| {}))]);
    // The bundle has been followed when the next client is accepted.
    assert_eq!(rig.caller().await.get("/api/").await.text(), "ok");
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn http_2_is_spoken_there_too() {
    let provider = Provider::answering(OK).await;
    let rig = Rig::whose(&provider, own_port);
    let address = ([127, 0, 0, 1], port(&rig).await).into();
    let mut caller = crate::http2::caller::Caller::connect(address).await;
    let answer = caller.get("/x").await;
    assert_eq!((answer.status(), answer.text()), (200, "ok"));
    assert!(provider.head().starts_with("GET /v1/x HTTP/1.1\r\n"));
}
