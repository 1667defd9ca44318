//! An API that tells each caller which credential it sent.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::https::Https;

pub(crate) struct Provider {
    pub(crate) address: SocketAddr,
    /// Its own certificate, which is its own authority.
    pub(crate) pem: String,
    requests: Arc<AtomicUsize>,
}

impl Provider {
    /// Serves until the test's process ends.
    pub(crate) fn start() -> Self {
        let requests = Arc::new(AtomicUsize::new(0));
        let count = requests.clone();
        let Https { address, pem } = Https::start(move |request| {
            count.fetch_add(1, Ordering::SeqCst);
            let credential = request.header("authorization");
            let credential = credential.map_or_else(
                || "no credential".to_owned(),
                |value| format!("Authorization: {value}"),
            );
            (200, format!("{} {credential}", request.target()))
        });
        Self {
            address,
            pem,
            requests,
        }
    }

    /// How many requests reached it.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}
