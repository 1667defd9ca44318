//! The sidecar's process.

use credence_sidecar::{Proxy, ProxySettings, hardening};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .init();
    hardening::harden()?;
    let mut terminate = signal(SignalKind::terminate())?;
    let proxy = Proxy::bind(ProxySettings::default())?;
    proxy
        .run(async move {
            terminate.recv().await;
        })
        .await;
    Ok(())
}
