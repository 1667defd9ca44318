//! The order in which the operator stops.

use std::time::Duration;

use tokio::sync::watch;

/// Time between "not ready" and the first closed connection: the endpoints of
/// the Services must lose this replica first.
pub const PROPAGATION: Duration = Duration::from_secs(5);
/// The longest that a replica takes to stop: where a refresh has just begun, the
/// 33 seconds that its request may take, ten in which its answer is tried to be
/// written down, and the last status. Who ends it before loses that answer.
pub const LONGEST: Duration = Duration::from_secs(50);
/// The streams of a replica end spread over this time, so that the other
/// replicas are not dialled by all sidecars at once.
pub const SPREAD: Duration = Duration::from_secs(3);

/// Starts the draining.
#[derive(Debug)]
pub struct Trigger(watch::Sender<bool>);

/// Tells when connections must end. Clones tell the same.
#[derive(Clone, Debug)]
pub struct Shutdown(watch::Receiver<bool>);

/// A trigger and what it triggers.
pub fn channel() -> (Trigger, Shutdown) {
    let (sender, receiver) = watch::channel(false);
    (Trigger(sender), Shutdown(receiver))
}

impl Trigger {
    /// Ends streams and connections from now on.
    pub fn drain(&self) {
        self.0.send_replace(true);
    }
}

impl Shutdown {
    /// Ends when connections must; also when nobody is left to say so.
    pub async fn draining(&mut self) {
        // An error means that the trigger is gone, and with it the process.
        let _ = self.0.wait_for(|draining| *draining).await;
    }
}
