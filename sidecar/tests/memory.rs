//! How much memory the proxy takes, in a process of its own: what other tests
//! hold at the same time would be counted with it.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]
#![expect(dead_code, reason = "not all that the other tests need is needed here")]

#[path = "proxy/caller.rs"]
mod caller;
#[path = "proxy/provider.rs"]
mod provider;
#[path = "proxy/rig.rs"]
mod rig;

use bytes::Bytes;
use h2::{RecvStream, SendStream};
use http::{Request, Response};
use provider::Provider;
use rig::Rig;
use tokio::net::TcpStream;

const POST: &str = "POST /api/ HTTP/1.1\r\nHost: localhost\r\n";

/// More than every buffer on the way, the kernel's included, can hold.
const LARGE: usize = 100 * 1024 * 1024;

/// What this process has in memory, in bytes.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    let kibibytes: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kibibytes * 1024
}

#[tokio::test]
async fn large_bodies_stream_both_ways_without_being_held() {
    let provider = Provider::start(|mut peer| async move {
        let piece = vec![b'x'; 1024 * 1024];
        while let Some(head) = peer.head().await {
            if head.starts_with("POST") {
                let mut left = LARGE;
                while left > 0 {
                    let length = peer.bytes(left.min(piece.len())).await.len();
                    assert!(length > 0);
                    left -= length;
                }
                peer.send("HTTP/1.1 204 Done\r\n\r\n").await;
            } else {
                peer.send(format!(
                    "HTTP/1.1 200 OK\r\nContent-Length: {LARGE}\r\n\r\n"
                ))
                .await;
                for _ in 0..LARGE / piece.len() {
                    peer.send(&piece).await;
                }
            }
        }
    })
    .await;
    let rig = Rig::with(&provider);
    let mut caller = rig.caller().await;
    let piece = vec![b'x'; 1024 * 1024];
    let before = resident();
    caller
        .send(format!("{POST}Content-Length: {LARGE}\r\n\r\n"))
        .await;
    for _ in 0..LARGE / piece.len() {
        caller.send(&piece).await;
    }
    assert_eq!(caller.answer().await.status(), 204);
    let mut caller = rig.caller().await;
    caller
        .send("GET /api/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    caller.head().await;
    for _ in 0..LARGE / piece.len() {
        assert_eq!(caller.bytes(piece.len()).await, piece);
    }
    // Both ends of this test are in the same process, with a few pieces each.
    let grown = resident().saturating_sub(before);
    assert!(grown < LARGE / 4, "grown by {grown} bytes");
}

#[tokio::test]
async fn large_bodies_stream_both_ways_in_http_2_without_being_held() {
    let provider = Provider::accept(&[b"h2"], |stream, _| async move {
        let mut connection = h2::server::handshake(stream).await.unwrap();
        while let Some(Ok((request, mut respond))) = connection.accept().await {
            tokio::spawn(async move {
                let read = drain(request.into_body()).await;
                let down = respond.send_response(Response::new(()), false).unwrap();
                fill(down, LARGE - read).await;
            });
        }
    })
    .await;
    let rig = Rig::with(&provider);
    let stream = TcpStream::connect(rig.address).await.unwrap();
    let (mut send, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let before = resident();
    for (upload, download) in [(LARGE, 0), (0, LARGE)] {
        let request = Request::post("http://localhost/api/").body(()).unwrap();
        let (response, up) = send.send_request(request, false).unwrap();
        fill(up, upload).await;
        let read = drain(response.await.unwrap().into_body()).await;
        assert_eq!(read, download);
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < LARGE / 4, "grown by {grown} bytes");
}

/// Reads a body to its end; says how long it was.
async fn drain(mut body: RecvStream) -> usize {
    let mut length = 0;
    while let Some(data) = body.data().await {
        let data = data.unwrap().len();
        body.flow_control().release_capacity(data).unwrap();
        length += data;
    }
    length
}

/// Sends a body of this length.
async fn fill(mut stream: SendStream<Bytes>, length: usize) {
    let piece = Bytes::from(vec![b'x'; 64 * 1024]);
    let mut left = length;
    while left > 0 {
        stream.reserve_capacity(left.min(piece.len()));
        let room = std::future::poll_fn(|cx| stream.poll_capacity(cx)).await;
        let room = room.unwrap().unwrap().min(left).min(piece.len());
        stream.send_data(piece.slice(..room), false).unwrap();
        left -= room;
    }
    stream.send_data(Bytes::new(), true).unwrap();
}
