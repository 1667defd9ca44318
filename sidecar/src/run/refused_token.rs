//! A token that is refused, from the provider to the operator and back.

use std::sync::Arc;

use credence_core::bundle::Value;
use credence_core::bundle::{Bundle, Entry, OnConflict, Placed, Route, Token, TokenState, Tokens};
use credence_core::reception::Said;
use credence_core::wire::Event;
use credence_core::{Environment, Secret};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::tests::{ANY, get, settings};
use super::*;
use crate::feed::tests::operator::Operator;
use crate::feed::tests::{file_with, hello};

/// A provider that takes `t2` only, and closes each connection after it.
async fn accepting(listener: TcpListener) {
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = vec![0; 4096];
        let read = stream.read(&mut head).await.unwrap();
        let head = String::from_utf8_lossy(&head[..read]);
        assert!(head.ends_with("\r\n\r\n"));
        let answer: &[u8] = match head.contains("Bearer t2\r\n") {
            true => b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            false => b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno",
        };
        stream.write_all(answer).await.unwrap();
    }
}

fn tokens(value: &str, generation: u64) -> Tokens {
    let token = Token::new(Secret::new(value), generation);
    [("api".parse().unwrap(), TokenState::Held(token))].into()
}

#[tokio::test]
async fn a_refused_token_is_reported_and_the_call_made_again_with_the_one_that_comes() {
    let listener = TcpListener::bind(ANY).await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    let mut serving = JoinSet::new();
    serving.spawn(accepting(listener));
    let pieces = r#"[{"text": "Bearer "}, {"token": ""}]"#;
    let route = Route {
        headers: vec![Placed {
            name: "Authorization".to_owned(),
            value: Value::Varying(serde_json::from_str(pieces).unwrap()),
            private: true,
            on_conflict: OnConflict::Replace,
        }],
        allow_private_networks: true,
        ..Route::to(base_url.parse().unwrap())
    };
    let mut operator = Operator::with_token("t").await;
    let token = file_with("t");
    let sidecar = Sidecar::bind(settings(&operator, &token)).unwrap();
    let proxy = sidecar.proxy.local_addrs()[0];
    let life = async {
        let stream = operator.stream().await;
        stream.event(&hello("s1"));
        stream.event(&Event::Bundle(Bundle {
            revision: "r1".to_owned(),
            environment: Environment::Live,
            collections: [("api".parse().unwrap(), Entry::Ready(Arc::new(route)))].into(),
            tokens: tokens("t1", 7),
        }));
        operator.ack().await;
        let call = tokio::spawn(get(proxy, "/api/"));
        let report = operator.report().await;
        let expected = Said {
            status: Some(401),
            worked: false,
            generation: Some(7),
            named: false,
        };
        assert_eq!((report.collection.as_str(), report.said), ("api", expected));
        stream.event(&Event::Tokens(tokens("t2", 8)));
        let answer = call.await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    };
    sidecar.run(life).await.unwrap();
}
