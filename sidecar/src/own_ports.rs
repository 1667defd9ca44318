//! The ports of collections that have one of their own. They come and go with
//! the bundle, and none of them can stop the others.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::task::{Context, Poll};

use credence_core::CollectionName;
use tokio::net::{TcpListener, TcpStream};

use crate::bind;
use crate::entrance::Entrance;

/// The ports that are open, by collection.
#[derive(Debug, Default)]
pub(crate) struct OwnPorts {
    open: BTreeMap<CollectionName, OwnPort>,
    /// What has been complained about.
    told: BTreeSet<(CollectionName, u16)>,
}

#[derive(Debug)]
struct OwnPort {
    /// The port of the bundle.
    wanted: u16,
    listeners: Vec<TcpListener>,
}

/// What a table says of a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// It has no port of its own.
    None,
    /// It has this one.
    Port(u16),
    /// It cannot be called now, and nobody knows: who calls its port is told so.
    Unknown,
}

/// Which collections get their port. A bundle leaves each to one of them; from
/// an operator that does not yet, the first by name gets it.
pub(crate) fn without_clashes(
    wishes: BTreeMap<CollectionName, Wish>,
) -> (BTreeMap<CollectionName, Wish>, Vec<(CollectionName, u16)>) {
    let mut taken = BTreeSet::new();
    let mut clashes = Vec::new();
    let wishes = wishes
        .into_iter()
        .map(|(name, wish)| match wish {
            // Port 0 is whichever is free.
            Wish::Port(port) if port != 0 && !taken.insert(port) => {
                clashes.push((name.clone(), port));
                (name, Wish::None)
            }
            other => (name, other),
        })
        .collect();
    (wishes, clashes)
}

impl OwnPorts {
    /// Opens and closes what is needed; says which ports there are then.
    pub(crate) fn follow(
        &mut self,
        wishes: BTreeMap<CollectionName, Wish>,
    ) -> BTreeMap<CollectionName, u16> {
        let (wishes, clashes) = without_clashes(wishes);
        self.open.retain(|name, own| match wishes.get(name) {
            Some(Wish::Port(port)) => own.wanted == *port,
            Some(Wish::Unknown) => true,
            Some(Wish::None) | None => false,
        });
        let mut told = BTreeSet::new();
        for (name, port) in clashes {
            self.tell(&mut told, name, port, "another collection has it");
        }
        for (name, wish) in wishes {
            let Wish::Port(wanted) = wish else { continue };
            if self.open.contains_key(&name) {
                continue;
            }
            match listen(wanted) {
                Ok(listeners) => {
                    self.open.insert(name, OwnPort { wanted, listeners });
                }
                Err(error) => self.tell(&mut told, name, wanted, &error.to_string()),
            }
        }
        self.told = told;
        let open = self.open.iter();
        open.filter_map(|(name, own)| {
            let address = own.listeners.first()?.local_addr().ok()?;
            Some((name.clone(), address.port()))
        })
        .collect()
    }

    /// A client, and whose port it called.
    pub(crate) fn poll_accept(
        &self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(TcpStream, Entrance)>> {
        for (name, own) in &self.open {
            for listener in &own.listeners {
                if let Poll::Ready(accepted) = listener.poll_accept(cx) {
                    let entrance = Entrance::Own(name.clone());
                    return Poll::Ready(accepted.map(|(stream, _)| (stream, entrance)));
                }
            }
        }
        Poll::Pending
    }

    /// Complains once for as long as it lasts; later bundles try again.
    fn tell(
        &self,
        told: &mut BTreeSet<(CollectionName, u16)>,
        name: CollectionName,
        port: u16,
        reason: &str,
    ) {
        let key = (name, port);
        if !self.told.contains(&key) {
            let collection = key.0.as_str();
            tracing::warn!(
                collection,
                port,
                reason,
                "a collection does not get the port of its own, and can be called by its path only"
            );
        }
        told.insert(key);
    }
}

/// Both loopback addresses, or that which this machine has.
fn listen(port: u16) -> io::Result<Vec<TcpListener>> {
    let first = bind::listen(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    let chosen = first.local_addr()?.port();
    let mut listeners = vec![first];
    match bind::listen((IpAddr::V6(Ipv6Addr::LOCALHOST), chosen).into()) {
        Ok(second) => listeners.push(second),
        Err(error) if bind::is_absent(&error) => {}
        Err(error) => return Err(error),
    }
    listeners.into_iter().map(TcpListener::from_std).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wishes(all: &[(&str, Wish)]) -> BTreeMap<CollectionName, Wish> {
        all.iter()
            .map(|(name, wish)| (name.parse().unwrap(), *wish))
            .collect()
    }

    fn taken() -> (std::net::TcpListener, u16) {
        let listener = bind::listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let port = listener.local_addr().unwrap().port();
        (listener, port)
    }

    #[test]
    fn of_two_that_want_the_same_port_the_first_by_name_gets_it() {
        let wanted = wishes(&[
            ("b", Wish::Port(9000)),
            ("a", Wish::Port(9000)),
            ("c", Wish::Port(9001)),
            ("d", Wish::Port(0)),
            ("e", Wish::Port(0)),
        ]);
        let (granted, clashes) = without_clashes(wanted);
        assert_eq!(clashes, [("b".parse().unwrap(), 9000)]);
        assert_eq!(granted["a"], Wish::Port(9000));
        assert_eq!(granted["b"], Wish::None);
        assert_eq!((granted["d"], granted["e"]), (Wish::Port(0), Wish::Port(0)));
    }

    #[tokio::test]
    async fn a_port_that_is_taken_fails_alone_and_is_tried_again() {
        let mut ports = OwnPorts::default();
        let (other, port) = taken();
        let wanted = || wishes(&[("a", Wish::Port(port)), ("b", Wish::Port(0))]);
        let open = ports.follow(wanted());
        assert_eq!(
            open.keys().map(CollectionName::as_str).collect::<Vec<_>>(),
            ["b"]
        );
        drop(other);
        let later = ports.follow(wanted());
        assert_eq!(later["a"], port);
        assert_eq!(later["b"], open["b"]);
    }

    #[tokio::test]
    async fn a_port_stays_while_nobody_knows_and_goes_when_it_is_not_wanted() {
        let mut ports = OwnPorts::default();
        let first = ports.follow(wishes(&[("a", Wish::Port(0))]));
        let unknown = ports.follow(wishes(&[("a", Wish::Unknown)]));
        assert_eq!(first, unknown);
        for gone in [wishes(&[("a", Wish::None)]), wishes(&[])] {
            ports.follow(wishes(&[("a", Wish::Port(0))]));
            assert!(ports.follow(gone).is_empty());
        }
    }
}
