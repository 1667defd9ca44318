//! A token endpoint that does as it is told.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Mutex;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::*;

/// One on a port of loopback, until it is dropped.
pub(super) struct Endpoint {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
    _serving: JoinSet<()>,
}

/// What an endpoint does once it has read a request.
#[derive(Clone)]
pub(super) enum Then {
    /// Writes this, and waits for the other side to close.
    Write(Vec<u8>),
    /// Writes this again and again.
    Repeat(Vec<u8>, Vec<u8>),
    /// Writes this, and resets the connection.
    Reset(Vec<u8>),
}

impl Endpoint {
    pub(super) async fn answering(text: &str) -> Self {
        Self::that(Then::Write(text.as_bytes().to_vec())).await
    }

    pub(super) async fn that(then: Then) -> Self {
        Self::in_turn(vec![then]).await
    }

    /// On each connection the next, and the last from then on.
    pub(super) async fn in_turn(thens: Vec<Then>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let mut serving = JoinSet::new();
        let hearing = Arc::clone(&heard);
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            let last = thens.last().cloned();
            let mut thens = thens.into_iter().chain(last.into_iter().cycle());
            while let (Ok((stream, _)), Some(then)) = (listener.accept().await, thens.next()) {
                connections.spawn(serve(stream, then, Arc::clone(&hearing)));
            }
        });
        Self {
            address,
            heard,
            _serving: serving,
        }
    }

    pub(super) fn authority(&self) -> String {
        self.address.to_string()
    }

    pub(super) fn url(&self, target: &str) -> String {
        format!("http://{}{target}", self.address)
    }

    /// All requests, whole.
    pub(super) async fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, then: Then, heard: Arc<Mutex<Vec<String>>>) {
    let mut request = Vec::new();
    while !is_whole(&request) {
        if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let text = String::from_utf8(request).unwrap();
    heard.lock().unwrap().push(text);
    match then {
        Then::Write(text) => {
            let _ = stream.write_all(&text).await;
            let _ = stream.read(&mut [0]).await;
        }
        Then::Repeat(first, again) => {
            let _ = stream.write_all(&first).await;
            while stream.write_all(&again).await.is_ok() {}
        }
        Then::Reset(text) => {
            let _ = stream.write_all(&text).await;
            stream.set_zero_linger().unwrap();
        }
    }
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length").then_some(value)
    });
    body.len() >= length.map_or(0, |length| length.parse().unwrap())
}
