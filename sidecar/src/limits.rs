//! How much and how long the proxy puts up with.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use credence_core::names;
use credence_net::Egress;

/// How a proxy listens and how long it waits.
#[derive(Clone, Debug)]
pub struct ProxySettings {
    /// Loopback addresses, unless whoever reaches the others may use the
    /// credentials; port 0 lets the system choose.
    pub listen: Vec<SocketAddr>,
    /// Names by which the proxy may be called besides localhost and loopback
    /// addresses, without a port: a request with another Host is refused, so
    /// that no web page can lead a browser here (DNS rebinding).
    pub names: Vec<String>,
    /// The proxies through which APIs are reached, if they are not directly.
    pub egress: Egress,
    /// Client connections held at one time, and calls on those of HTTP/2; more
    /// are answered `overloaded`.
    pub max_connections: usize,
    /// The limits on waiting.
    pub timeouts: Timeouts,
}

impl Default for ProxySettings {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, names::PROXY_PORT))],
            names: Vec::new(),
            egress: Egress::default(),
            max_connections: 2048,
            timeouts: Timeouts::default(),
        }
    }
}

/// The limits on waiting for a client; those on waiting for an API are its
/// route's.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// From the first byte of a request's head to its last.
    pub head: Duration,
    /// Between requests of a connection, and for the writing of an answer that
    /// is made here.
    pub idle: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            idle: Duration::from_secs(300),
        }
    }
}
