//! From a host and a port to a TCP connection.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::guard::{Guard, Refused};

/// How long an attempt runs alone before the next address is tried beside it
/// (RFC 8305 §8).
const STAGGER: Duration = Duration::from_millis(250);

/// Resolves, guards and connects.
#[derive(Clone, Copy, Debug)]
pub struct Dialer {
    /// Which addresses may be dialled.
    pub guard: Guard,
    /// The longest time for resolving and connecting together.
    pub timeout: Duration,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// DNS has no address for the name, or could not be asked.
    #[error("its name could not be resolved")]
    Unresolved(#[source] io::Error),
    /// Every address it has is one that must not be dialled; this is about the
    /// first of them.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// No address answered; this is about the last attempt that failed.
    #[error("it refused the connection, or no route leads there")]
    Unreachable(#[source] io::Error),
    /// Resolving and connecting took longer than allowed.
    #[error("no connection within {} s", .0.as_secs_f32())]
    TimedOut(Duration),
}

impl Dialer {
    /// Connects to the first address of `host` that answers, with Nagle's
    /// algorithm off. Addresses that the guard refuses are passed over; a
    /// literal address is checked like any other.
    ///
    /// # Errors
    /// [`DialError`].
    pub async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, DialError> {
        tokio::time::timeout(self.timeout, self.resolve_and_race(host, port))
            .await
            .unwrap_or(Err(DialError::TimedOut(self.timeout)))
    }

    async fn resolve_and_race(&self, host: &str, port: u16) -> Result<TcpStream, DialError> {
        let found = tokio::net::lookup_host((host, port))
            .await
            .map_err(DialError::Unresolved)?;
        let addresses = interleaved(self.permitted(found)?);
        let stream = race(addresses).await.map_err(DialError::Unreachable)?;
        stream.set_nodelay(true).map_err(DialError::Unreachable)?;
        Ok(stream)
    }

    fn permitted(
        &self,
        found: impl Iterator<Item = SocketAddr>,
    ) -> Result<Vec<SocketAddr>, DialError> {
        let mut permitted = Vec::new();
        let mut refused = None;
        for address in found {
            match self.guard.check(address.ip()) {
                Ok(()) => permitted.push(address),
                Err(why) => refused = refused.or(Some(why)),
            }
        }
        match refused {
            Some(why) if permitted.is_empty() => Err(why.into()),
            _ => Ok(permitted),
        }
    }
}

/// The resolver's order, but with the families taking turns, beginning with
/// that of the first address (RFC 8305 §4).
fn interleaved(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let Some(first) = addresses.first().map(SocketAddr::is_ipv6) else {
        return addresses;
    };
    let (leading, other): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv6() == first);
    let mut other = other.into_iter();
    let mut mixed: Vec<_> = leading
        .into_iter()
        .flat_map(|address| [Some(address), other.next()])
        .flatten()
        .collect();
    mixed.extend(other);
    mixed
}

/// The first connection of all attempts: the next one starts when the one
/// before failed, or when it has had its head start (RFC 8305 §5).
async fn race(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut waiting = addresses.into_iter();
    let mut attempts = JoinSet::new();
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    loop {
        if let Some(address) = waiting.next() {
            attempts.spawn(TcpStream::connect(address));
        }
        let head_start = async {
            if waiting.len() == 0 {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(STAGGER).await;
        };
        tokio::select! {
            ended = attempts.join_next() => match ended {
                Some(Ok(Ok(stream))) => return Ok(stream),
                Some(Ok(Err(error))) => last = error,
                Some(Err(error)) => last = io::Error::other(error),
                None => return Err(last),
            },
            () = head_start => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::net::{TcpListener, TcpSocket};

    use super::*;
    use crate::guard::Kind;

    const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

    fn dialer(allow_private: bool) -> Dialer {
        Dialer {
            guard: Guard { allow_private },
            timeout: Duration::from_secs(5),
        }
    }

    /// An address that answers nothing: its queue of connections is full, so
    /// the kernel drops what arrives. It lasts as long as the guard values.
    async fn dead() -> (SocketAddr, impl Sized) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(LOOPBACK).unwrap();
        let listener = socket.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let filler = TcpStream::connect(address).await.unwrap();
        (address, (listener, filler))
    }

    /// An address that refuses: nobody listens there any more.
    async fn closed() -> SocketAddr {
        let listener = TcpListener::bind(LOOPBACK).await.unwrap();
        listener.local_addr().unwrap()
    }

    #[tokio::test]
    async fn a_literal_address_is_connected_to_without_delay_of_small_writes() {
        let listener = TcpListener::bind(LOOPBACK).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let stream = dialer(true).connect("127.0.0.1", port).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), listener.local_addr().unwrap());
        assert!(stream.nodelay().unwrap());
    }

    #[tokio::test]
    async fn a_literal_address_is_guarded_in_every_spelling() {
        let loopback = Refused::Private(Kind::Loopback);
        for host in [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "::1",
            "::ffff:127.0.0.1",
        ] {
            let error = dialer(false).connect(host, 1).await.unwrap_err();
            assert!(
                matches!(error, DialError::Refused(why) if why == loopback),
                "{host}: {error}"
            );
        }
        let error = dialer(true)
            .connect("169.254.169.254", 80)
            .await
            .unwrap_err();
        assert!(matches!(error, DialError::Refused(Refused::Never(_))));
    }

    #[tokio::test]
    async fn a_refused_address_is_passed_over_when_another_is_public() {
        let public: SocketAddr = "1.1.1.1:443".parse().unwrap();
        let private: SocketAddr = "10.0.0.1:443".parse().unwrap();
        let permitted = dialer(false).permitted([private, public].into_iter());
        assert_eq!(permitted.unwrap(), [public]);
    }

    #[tokio::test]
    async fn a_closed_port_is_unreachable() {
        let port = closed().await.port();
        let error = dialer(true).connect("127.0.0.1", port).await.unwrap_err();
        assert!(matches!(error, DialError::Unreachable(_)));
    }

    #[tokio::test]
    async fn a_name_that_cannot_be_is_unresolved() {
        let error = dialer(true).connect("a\0b", 1).await.unwrap_err();
        assert!(matches!(error, DialError::Unresolved(_)), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_dead_first_address_costs_its_head_start_only() {
        let (dead, _open) = dead().await;
        let listener = TcpListener::bind(LOOPBACK).await.unwrap();
        let alive = listener.local_addr().unwrap();
        let began = tokio::time::Instant::now();
        let stream = race(vec![dead, alive]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), alive);
        assert!(began.elapsed() >= STAGGER && began.elapsed() < 2 * STAGGER);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusing_first_address_costs_nothing() {
        let closed = closed().await;
        let listener = TcpListener::bind(LOOPBACK).await.unwrap();
        let alive = listener.local_addr().unwrap();
        let began = tokio::time::Instant::now();
        let stream = race(vec![closed, alive]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), alive);
        assert!(began.elapsed() < STAGGER);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_with_the_timeout() {
        let (dead, _open) = dead().await;
        let error = dialer(true)
            .connect("127.0.0.1", dead.port())
            .await
            .unwrap_err();
        assert!(matches!(error, DialError::TimedOut(_)), "{error}");
    }

    #[test]
    fn families_take_turns_in_the_resolvers_order() {
        let parse = |texts: &[&str]| -> Vec<SocketAddr> {
            texts.iter().map(|text| text.parse().unwrap()).collect()
        };
        let given = parse(&["[2::1]:1", "[2::2]:1", "[2::3]:1", "1.1.1.1:1", "1.1.1.2:1"]);
        let mixed = parse(&["[2::1]:1", "1.1.1.1:1", "[2::2]:1", "1.1.1.2:1", "[2::3]:1"]);
        assert_eq!(interleaved(given), mixed);
        let given = parse(&["1.1.1.1:1", "[2::1]:1", "[2::2]:1"]);
        assert_eq!(interleaved(given.clone()), given);
        assert_eq!(interleaved(Vec::new()), Vec::new());
    }
}
