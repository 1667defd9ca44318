//! From a host and a port to a TCP connection.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::egress::{self, Egress, EgressFault, EgressProxy};
use crate::guard::{Guard, Kind, Refused};
use crate::network::Network;
use crate::resolve::Resolver;

/// How long an attempt runs alone before the next address is tried beside it
/// (RFC 8305 §8).
const STAGGER: Duration = Duration::from_millis(250);

/// Resolves, guards and connects. Clones share the lookups under way.
#[derive(Clone, Debug)]
pub struct Dialer {
    /// Which addresses may be dialled.
    pub guard: Guard,
    /// The longest time for resolving and connecting together.
    pub timeout: Duration,
    /// Blocks whose addresses may be dialled although they are private.
    networks: Arc<[Network]>,
    egress: Egress,
    resolver: Resolver,
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
    /// The way out of this network is closed.
    #[error("the egress proxy {0}")]
    Egress(#[from] EgressFault),
    /// Resolving and connecting took longer than allowed.
    #[error("no connection within {:.1} s", .0.as_secs_f32())]
    TimedOut(Duration),
}

impl Dialer {
    /// One that connects directly.
    pub fn new(guard: Guard, timeout: Duration) -> Self {
        Self {
            guard,
            timeout,
            networks: Arc::default(),
            egress: Egress::default(),
            resolver: Resolver::default(),
        }
    }

    /// The same, but through the proxies of this environment.
    #[must_use]
    pub fn through(self, egress: Egress) -> Self {
        Self { egress, ..self }
    }

    /// The same, but private addresses of these blocks may be dialled. Loopback
    /// and what is never dialled may not, whatever a block holds.
    #[must_use]
    pub fn within(self, networks: Arc<[Network]>) -> Self {
        Self { networks, ..self }
    }

    /// Connects to the first address of `host` that answers, with Nagle's
    /// algorithm off. Addresses that the guard refuses are passed over; a
    /// literal address is checked like any other.
    ///
    /// Through a proxy, a name is resolved there, and so not guarded here.
    ///
    /// # Errors
    /// [`DialError`].
    pub async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, DialError> {
        let connecting = async {
            match self.egress.proxy_for(host, port) {
                None => {
                    let found = self.lookup(host, port).await?;
                    connected(self.permitted(&found)?).await
                }
                Some(proxy) => self.connect_through(proxy, host, port).await,
            }
        };
        tokio::time::timeout(self.timeout, connecting)
            .await
            .unwrap_or(Err(DialError::TimedOut(self.timeout)))
    }

    async fn connect_through(
        &self,
        proxy: &EgressProxy,
        host: &str,
        port: u16,
    ) -> Result<TcpStream, DialError> {
        let target = if is_numeric(host) {
            // In whatever spelling: the proxy gets what was looked at.
            let found = self.lookup(host, port).await?;
            let permitted = self.permitted(&found)?;
            let first = permitted.first().ok_or_else(no_address)?;
            first.to_string()
        } else {
            format!("{host}:{port}")
        };
        // The installation has chosen it, and not a collection: no guard.
        let found = self.resolver.lookup(&proxy.host, proxy.port).await;
        let found = found.map_err(EgressFault::Unreachable)?;
        let mut stream = connected(found.to_vec())
            .await
            .map_err(|error| match error {
                DialError::Unreachable(source) => EgressFault::Unreachable(source).into(),
                other => other,
            })?;
        egress::connect(&mut stream, proxy, &target).await?;
        Ok(stream)
    }

    async fn lookup(&self, host: &str, port: u16) -> Result<Arc<[SocketAddr]>, DialError> {
        let found = self.resolver.lookup(host, port).await;
        found.map_err(DialError::Unresolved)
    }

    fn permitted(&self, found: &[SocketAddr]) -> Result<Vec<SocketAddr>, DialError> {
        let mut permitted = Vec::new();
        let mut refused = None;
        for &address in found {
            match self.guard.check(address.ip()) {
                Ok(()) => permitted.push(address),
                Err(Refused::Private(kind)) if self.opens(kind, address) => {
                    permitted.push(address);
                }
                Err(why) => refused = refused.or(Some(why)),
            }
        }
        match refused {
            Some(why) if permitted.is_empty() => Err(why.into()),
            _ => Ok(permitted),
        }
    }

    fn opens(&self, kind: Kind, address: SocketAddr) -> bool {
        let mut networks = self.networks.iter();
        kind != Kind::Loopback && networks.any(|network| network.contains(address.ip()))
    }
}

async fn connected(addresses: Vec<SocketAddr>) -> Result<TcpStream, DialError> {
    let stream = race(interleaved(addresses)).await;
    let stream = stream.map_err(DialError::Unreachable)?;
    stream.set_nodelay(true).map_err(DialError::Unreachable)?;
    Ok(stream)
}

/// Whether a host is an address, in one of the spellings that resolvers read
/// as such: an IPv6 address, or a last label that is a number.
fn is_numeric(host: &str) -> bool {
    let last = host.trim_end_matches('.').rsplit('.').next();
    host.contains(':') || last.is_some_and(|last| last.starts_with(|c: char| c.is_ascii_digit()))
}

fn no_address() -> DialError {
    DialError::Unresolved(io::ErrorKind::NotFound.into())
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

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpSocket};

    use super::*;
    use crate::guard::Kind;

    const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

    fn dialer(allow_private: bool) -> Dialer {
        Dialer::new(Guard { allow_private }, Duration::from_secs(5))
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
        let permitted = dialer(false).permitted(&[private, public]);
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

    /// An egress proxy that connects nowhere and agrees to everything.
    async fn agreeing() -> (Egress, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind(LOOPBACK).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let egress = Egress::read(|name| (name == "HTTPS_PROXY").then(|| (&url).into())).unwrap();
        let asked = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = vec![0; 1024];
            let length = stream.read(&mut head).await.unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            let head = String::from_utf8_lossy(&head[..length]).into_owned();
            head.lines().next().unwrap_or_default().to_owned()
        });
        (egress, asked)
    }

    #[tokio::test]
    async fn a_proxy_gets_names_unresolved_and_is_itself_not_guarded() {
        let (egress, asked) = agreeing().await;
        let dialer = dialer(false).through(egress);
        dialer.connect("api.invalid", 443).await.unwrap();
        assert_eq!(asked.await.unwrap(), "CONNECT api.invalid:443 HTTP/1.1");
    }

    #[tokio::test]
    async fn a_proxy_gets_addresses_only_if_the_guard_lets_them_pass() {
        let (egress, asked) = agreeing().await;
        let through = dialer(false).through(egress.clone());
        for host in [
            "10.0.0.1",
            "169.254.169.254",
            "2852039166",
            "0xa9fea9fe",
            "10.1",
            "fd00::1",
        ] {
            let error = through.connect(host, 443).await.unwrap_err();
            assert!(matches!(error, DialError::Refused(_)), "{host}: {error}");
        }
        let error = through.connect("127.1", 443).await.unwrap_err();
        assert!(matches!(error, DialError::Refused(_)), "{error}");
        dialer(true)
            .through(egress)
            .connect("10.1", 443)
            .await
            .unwrap();
        assert_eq!(asked.await.unwrap(), "CONNECT 10.0.0.1:443 HTTP/1.1");
    }

    #[tokio::test]
    async fn a_proxy_that_is_not_there_is_told_from_an_api_that_is_not() {
        let url = format!("http://{}", closed().await);
        let egress = Egress::read(|name| (name == "ALL_PROXY").then(|| (&url).into())).unwrap();
        let error = dialer(true)
            .through(egress)
            .connect("api.invalid", 443)
            .await
            .unwrap_err();
        assert_eq!(error.to_string(), "the egress proxy cannot be reached");
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
