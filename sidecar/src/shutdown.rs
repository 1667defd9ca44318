//! When the process is to end.

use std::future::Future;
use std::io;

use tokio::signal::unix::{SignalKind, signal};

/// Ready once SIGTERM (the kubelet's) or SIGINT (a terminal's) has come. The
/// signals are caught from the call on.
///
/// # Errors
/// The system's, when a signal cannot be caught.
pub fn asked_for() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("shutting down");
    })
}
