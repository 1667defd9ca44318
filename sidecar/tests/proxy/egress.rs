//! Calls that leave the network through its proxy.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use credence_sidecar::{Egress, ProxySettings};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use crate::provider::{Provider, field};
use crate::rig::{KEY, Rig, changed};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A proxy that answers so, and connects everybody to one address.
struct Relay {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Relay {
    async fn start(answer: &'static str, to: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let heads = Arc::<Mutex<Vec<String>>>::default();
        let relay = Self {
            address: listener.local_addr().unwrap(),
            heads: Arc::clone(&heads),
        };
        tokio::spawn(async move {
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                let (heads, to) = (Arc::clone(&heads), to.clone());
                tokio::spawn(async move {
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        head.push(client.read_u8().await.unwrap());
                    }
                    let head = String::from_utf8(head).unwrap();
                    heads.lock().unwrap().push(head);
                    client.write_all(answer.as_bytes()).await.unwrap();
                    let mut server = TcpStream::connect(to).await.unwrap();
                    // However it ends, it is over.
                    let _ = copy_bidirectional(&mut client, &mut server).await;
                });
            }
        });
        relay
    }

    /// A proxy of credentials whose environment names this one.
    fn rig(&self, provider: &Provider, base_url: &str) -> Rig {
        let url = format!("http://user:pass%21@{}", self.address);
        let egress = Egress::read(|name| (name == "https_proxy").then(|| (&url).into())).unwrap();
        let rig = Rig::empty(ProxySettings {
            egress,
            ..ProxySettings::default()
        });
        let base_url = base_url.parse().unwrap();
        rig.apply([("api", changed(provider, |route| route.base_url = base_url))]);
        rig
    }
}

#[tokio::test]
async fn an_api_is_reached_by_name_through_the_proxy() {
    let provider = Provider::answering(OK).await;
    let answer = "HTTP/1.1 200 Connection established\r\n\r\n";
    let relay = Relay::start(answer, provider.authority()).await;
    let rig = relay.rig(&provider, "https://api.test/v1");
    let mut caller = rig.caller().await;
    for _ in 0..2 {
        assert_eq!(caller.get("/api/").await.text(), "ok");
    }
    assert_eq!(field(&provider.heads()[0], "authorization"), Some(KEY));
    let heads = relay.heads.lock().unwrap().clone();
    assert_eq!(
        heads,
        ["CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\n\
          Proxy-Authorization: Basic dXNlcjpwYXNzIQ==\r\n\r\n"]
    );
}

#[tokio::test]
async fn a_proxy_that_refuses_is_told_from_an_api_that_is_down() {
    let provider = Provider::answering(OK).await;
    for (answer, why) in [
        ("HTTP/1.1 407 No\r\n\r\n", "status 407"),
        ("HTTP/1.1 403 No\r\n\r\n", "status 403"),
        ("HTTP/1.1 503 No\r\n\r\n", "status 503"),
    ] {
        let relay = Relay::start(answer, provider.authority()).await;
        let rig = relay.rig(&provider, "https://api.test/v1");
        let answer = rig.caller().await.get("/api/").await;
        let told = (answer.status(), answer.slug());
        assert_eq!(told, (502, Some("upstream-unreachable")));
        assert!(answer.text().contains("egress proxy"), "{}", answer.text());
        assert!(answer.text().contains(why), "{}", answer.text());
        assert!(!answer.text().contains("pass!"), "{}", answer.text());
    }
    assert_eq!(provider.heads(), [""; 0]);
}

#[tokio::test]
async fn this_machine_is_reached_without_the_proxy() {
    let provider = Provider::answering(OK).await;
    let relay = Relay::start("HTTP/1.1 403 No\r\n\r\n", provider.authority()).await;
    let rig = relay.rig(&provider, &provider.base_url());
    assert_eq!(rig.caller().await.get("/api/").await.text(), "ok");
    assert!(relay.heads.lock().unwrap().is_empty());
}
