//! Finds out that a peer is no longer there.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use h2::{Ping, PingPong};

/// How long a peer is silent before it is asked for a sign of life, and how
/// long it may take to give one.
const SILENCE: Duration = Duration::from_secs(30);
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest time between two such questions. The first ones come sooner,
/// but not many: gRPC's servers take a third that comes within five minutes,
/// without a message in between, for an attack.
const RARELY: Duration = Duration::from_secs(300);

/// Ready once the peer of a connection has given no sign of life. `heard` is
/// set by whoever gets something from it, and it is left alone while it is not
/// `needed`.
pub(super) async fn lost(mut pings: PingPong, heard: &AtomicBool, needed: impl Fn() -> bool) {
    let mut silence = SILENCE;
    loop {
        tokio::time::sleep(silence).await;
        if heard.swap(false, Ordering::Relaxed) || !needed() {
            silence = SILENCE;
            continue;
        }
        match tokio::time::timeout(PATIENCE, pings.ping(Ping::opaque())).await {
            Ok(Ok(_)) => silence = (silence * 4).min(RARELY),
            Ok(Err(_)) | Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tokio::io::DuplexStream;
    use tokio::time::Instant;

    use super::*;

    /// Both ends of a connection, which lasts as long as the handle.
    async fn ends() -> (
        h2::server::Connection<DuplexStream, Bytes>,
        h2::client::SendRequest<Bytes>,
        h2::client::Connection<DuplexStream>,
    ) {
        let (near, far) = tokio::io::duplex(64 * 1024);
        let (client, server) =
            tokio::join!(h2::client::handshake(near), h2::server::handshake(far));
        let (send, client) = client.unwrap();
        (server.unwrap(), send, client)
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_does_not_answer_is_lost_after_forty_seconds() {
        let (_server, _send, mut client) = ends().await;
        let pings = client.ping_pong().unwrap();
        let began = Instant::now();
        let heard = AtomicBool::new(true);
        tokio::select! {
            _ = client => panic!("the connection should stay"),
            () = lost(pings, &heard, || true) => {}
        }
        // Once more than that, for what was heard at the beginning.
        assert_eq!(began.elapsed().as_secs(), 30 + 30 + 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_answers_is_asked_more_and_more_rarely() {
        let (mut server, _send, mut client) = ends().await;
        let pings = client.ping_pong().unwrap();
        tokio::spawn(async move { while server.accept().await.is_some() {} });
        let heard = AtomicBool::new(false);
        let asked = AtomicBool::new(false);
        let needed = || {
            asked.store(true, Ordering::Relaxed);
            true
        };
        let mut times = Vec::new();
        let began = Instant::now();
        let lost = lost(pings, &heard, needed);
        tokio::pin!(lost, client);
        while times.len() < 4 {
            tokio::select! {
                biased;
                _ = &mut client => panic!("the connection should stay"),
                () = &mut lost => panic!("it answers"),
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
            }
            if asked.swap(false, Ordering::Relaxed) {
                times.push(began.elapsed().as_secs());
            }
        }
        assert_eq!(times, [30, 150, 450, 750]);
    }
}
