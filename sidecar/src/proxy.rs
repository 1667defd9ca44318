//! The proxy's outside: bind, apply bundles, run, drain.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use credence_core::bundle::{Bundle, Tokens};

use crate::bind;
use crate::limits::ProxySettings;
use crate::listener;
use crate::metrics::Metrics;
use crate::shared::Shared;
use crate::standing::Refusals;

/// How long requests in flight may go on once shutdown was asked for. Below
/// the grace period that is left when the app containers have ended.
const DRAIN: Duration = Duration::from_secs(2);

/// The proxy cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// An address cannot be bound.
    #[error("cannot listen on {address}: {source}")]
    Address {
        /// The address.
        address: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
    /// No address was given, or none exists on this machine.
    #[error("there is no address to listen on")]
    Nothing,
}

/// The proxy, before it listens.
#[derive(Debug)]
pub struct Proxy;

impl Proxy {
    /// Binds every address. Nothing is accepted before [`Bound::run`].
    ///
    /// An IPv6 loopback that this machine does not have is left out as long
    /// as another address could be bound.
    ///
    /// # Errors
    /// [`BindError`] with the first address that is in use or not allowed.
    pub fn bind(settings: ProxySettings) -> Result<Bound, BindError> {
        let mut listeners = Vec::new();
        for &address in &settings.listen {
            match bind::listen(address) {
                Ok(listener) => listeners.push(listener),
                Err(error) if address.is_ipv6() && bind::is_absent(&error) => {
                    tracing::info!(%address, "not listening: there is no such address here");
                }
                Err(source) => return Err(BindError::Address { address, source }),
            }
        }
        if listeners.is_empty() {
            return Err(BindError::Nothing);
        }
        Ok(Bound {
            listeners,
            handle: Handle {
                shared: Arc::new(Shared::new(settings)),
            },
        })
    }
}

/// A proxy that holds its addresses.
#[derive(Debug)]
pub struct Bound {
    listeners: Vec<TcpListener>,
    handle: Handle,
}

impl Bound {
    /// The addresses, with the ports that the system chose.
    pub fn local_addrs(&self) -> Vec<SocketAddr> {
        self.listeners
            .iter()
            .filter_map(|listener| listener.local_addr().ok())
            .collect()
    }

    /// What gives the proxy its bundles; also when it runs.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Serves until `shutdown` is ready, then stops accepting, lets what is in
    /// flight end within two seconds, and returns. Needs a tokio runtime with
    /// I/O and time.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        listener::run(self.listeners, self.handle.shared, shutdown, DRAIN).await;
    }
}

/// Gives a proxy its bundles.
#[derive(Clone, Debug)]
pub struct Handle {
    shared: Arc<Shared>,
}

impl Handle {
    /// Replaces the bundle at once and as a whole. Requests in flight go on
    /// with the one they started with; those of a collection that is no longer
    /// there are closed after five seconds.
    ///
    /// Returns the collections that cannot be served, with the reason.
    pub fn apply(&self, bundle: Bundle) -> BTreeMap<String, String> {
        self.shared.apply(bundle)
    }

    /// Takes over tokens for collections of the last bundle; what is not named
    /// keeps its own. Nothing in flight is touched.
    ///
    /// Returns the collections that cannot be served, with the reason.
    pub fn apply_tokens(&self, tokens: Tokens) -> BTreeMap<String, String> {
        self.shared.apply_tokens(tokens)
    }

    /// What the proxy counts.
    pub fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.shared.metrics)
    }

    /// Which credentials the providers refuse.
    pub fn refusals(&self) -> Refusals {
        self.shared.board.reader()
    }

    /// Whether there has been a bundle: until then nothing can be served.
    pub fn bundle_applied(&self) -> bool {
        self.shared.bundle_applied()
    }
}
