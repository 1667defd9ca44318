//! From a name to addresses.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// What came of a lookup. The error is the kind alone: it goes to several.
type Found = Result<Arc<[SocketAddr]>, io::ErrorKind>;

/// By host and port.
type UnderWay = BTreeMap<(String, u16), watch::Receiver<Option<Found>>>;

/// Asks the system, once at a time for each name: a lookup occupies one of a
/// few threads until the system gives up, whoever still waits for it.
#[derive(Clone, Default)]
pub(crate) struct Resolver {
    under_way: Arc<Mutex<UnderWay>>,
}

impl Resolver {
    /// The addresses of a host, in the system's order.
    ///
    /// # Errors
    /// The system's, without its text.
    pub(crate) async fn lookup(&self, host: &str, port: u16) -> io::Result<Arc<[SocketAddr]>> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok([SocketAddr::from((address, port))].into());
        }
        let mut found = self.join(host, port);
        let found = match found.wait_for(Option::is_some).await {
            Ok(found) => found.clone(),
            // Its task is gone, which happens only when the runtime ends.
            Err(_) => None,
        };
        found
            .unwrap_or(Err(io::ErrorKind::Interrupted))
            .map_err(io::Error::from)
    }

    /// The lookup that is under way, or a new one.
    fn join(&self, host: &str, port: u16) -> watch::Receiver<Option<Found>> {
        let key = (host.to_owned(), port);
        let mut under_way = self.locked();
        if let Some(found) = under_way.get(&key) {
            return found.clone();
        }
        let (tell, found) = watch::channel(None);
        under_way.insert(key.clone(), found.clone());
        let this = self.clone();
        // On its own, so that it ends and is forgotten even if nobody waits.
        tokio::spawn(async move {
            let addresses = tokio::net::lookup_host((&*key.0, key.1)).await;
            let addresses = addresses.map(Iterator::collect);
            this.locked().remove(&key);
            tell.send_replace(Some(addresses.map_err(|error| error.kind())));
        });
        found
    }

    fn locked(&self) -> MutexGuard<'_, UnderWay> {
        self.under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Resolver({} under way)", self.locked().len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn many_who_ask_for_a_name_at_one_time_are_told_by_one_lookup() {
        let resolver = Resolver::default();
        let first = resolver.join("localhost", 80);
        let second = resolver.join("localhost", 80);
        assert!(first.same_channel(&second));
        assert!(!first.same_channel(&resolver.join("localhost", 81)));
        let found = resolver.lookup("localhost", 80).await.unwrap();
        assert!(found.iter().all(|address| address.ip().is_loopback()));
        assert_eq!(format!("{resolver:?}").len(), "Resolver(0 under way)".len());
    }

    #[tokio::test]
    async fn an_address_needs_no_lookup() {
        let resolver = Resolver::default();
        for (host, expected) in [("10.1.2.3", "10.1.2.3:7"), ("::1", "[::1]:7")] {
            let found = resolver.lookup(host, 7).await.unwrap();
            assert_eq!(*found, [expected.parse().unwrap()]);
        }
    }

    #[tokio::test]
    async fn a_name_that_cannot_be_is_an_error_for_all() {
        let resolver = Resolver::default();
        let (first, second) = tokio::join!(resolver.lookup("a\0b", 1), resolver.lookup("a\0b", 1));
        assert!(first.is_err() && second.is_err());
        assert!(resolver.locked().is_empty());
    }
}
