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
