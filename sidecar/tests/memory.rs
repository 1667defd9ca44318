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

use provider::Provider;
use rig::Rig;

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
