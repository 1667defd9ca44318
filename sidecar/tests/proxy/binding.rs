//! Where the proxy listens.

use std::net::{SocketAddr, TcpListener};

use credence_sidecar::{BindError, Proxy, ProxySettings};

use crate::caller::Caller;

fn settings(listen: &[SocketAddr]) -> ProxySettings {
    ProxySettings {
        listen: listen.to_vec(),
        ..ProxySettings::default()
    }
}

#[test]
fn an_address_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let error = Proxy::bind(settings(&[address])).unwrap_err();
    assert!(error.to_string().contains(&address.to_string()), "{error}");
    assert!(matches!(error, BindError::Address { .. }));
}

#[test]
fn somewhere_it_must_listen() {
    let error = Proxy::bind(settings(&[])).unwrap_err();
    assert!(matches!(error, BindError::Nothing));
}

#[tokio::test]
async fn every_address_is_served() {
    let any = "127.0.0.1:0".parse().unwrap();
    // An IPv6 loopback that is not there is left out.
    let proxy = Proxy::bind(settings(&[any, any, "[::1]:0".parse().unwrap()])).unwrap();
    let addresses = proxy.local_addrs();
    assert!(addresses.len() >= 2, "{addresses:?}");
    tokio::spawn(proxy.run(std::future::pending()));
    for address in addresses {
        let answer = Caller::connect(address).await.get("/").await;
        assert_eq!(answer.slug(), Some("not-ready"), "{address}");
    }
}
