//! Which replica leads.

use std::time::Duration;

use anyhow::Context as _;
use kube::Client;
use kube_lease_manager::LeaseManagerBuilder;
use tokio::sync::watch;
use tracing::{info, warn};

use crate::settings::Settings;
use crate::shutdown::Shutdown;

/// Seconds that a replica leads without renewing.
const DURATION: u64 = 10;
/// Seconds before the end of the lease at which it is renewed.
const GRACE: u64 = 4;
/// An API server that is down when the operator starts may come back.
const RETRY: Duration = Duration::from_secs(5);

/// Takes part in the election until the shutdown has drained everything else,
/// then gives the Lease back so that another replica leads at once.
///
/// # Errors
/// When the election ends by itself, or the Lease cannot be given back.
pub async fn follow(
    client: Client,
    settings: &Settings,
    leader: watch::Sender<bool>,
    mut released: Shutdown,
) -> anyhow::Result<()> {
    let manager = loop {
        let built = LeaseManagerBuilder::new(client.clone(), &settings.lease)
            .with_namespace(&settings.namespace)
            .with_identity(&settings.pod_name)
            .with_duration(DURATION)
            .with_grace(GRACE)
            .build();
        match built.await {
            Ok(manager) => break manager,
            Err(error) => warn!(lease = settings.lease, %error, "cannot take part in the election"),
        }
        tokio::select! {
            () = tokio::time::sleep(RETRY) => {}
            () = released.draining() => return Ok(()),
        }
    };
    let (mut leads, task) = manager.watch().await;
    loop {
        let now = *leads.borrow_and_update();
        if leader.send_if_modified(|before| std::mem::replace(before, now) != now) {
            info!(leads = now, "leadership changed");
        }
        tokio::select! {
            changed = leads.changed() => changed.context("the election ended")?,
            () = released.draining() => break,
        }
    }
    leader.send_replace(false);
    // The manager gives the Lease back when nobody listens any more.
    drop(leads);
    task.await
        .context("the election failed")?
        .context("cannot release the Lease")?;
    Ok(())
}
