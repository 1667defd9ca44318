//! Where a session listens, and by which names it may be called.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use credence_core::names;

/// Addresses that may be listened on, and the names that go with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listening {
    /// Of the proxy; the first one is shown.
    pub(crate) proxy: Vec<SocketAddr>,
    /// Of health and metrics.
    pub(crate) admin: SocketAddr,
    /// By which the proxy may be called besides localhost.
    pub(crate) names: Vec<String>,
}

/// Other machines could reach an address, and nobody said that they may.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotAllowed {
    /// The proxy's.
    #[error(
        "--listen {0} is not a loopback address: whoever reaches it could use your credentials. \
         If that is meant, add --allow-remote, and --allow-host NAME with the name by which it is called"
    )]
    Listen(SocketAddr),
    /// The admin address.
    #[error(
        "--admin {0} is not a loopback address: whoever reaches it could read the metrics. \
         If that is meant, add --allow-remote"
    )]
    Admin(SocketAddr),
}

impl Listening {
    /// Decides what is listened on. Without an address of one's own it is
    /// `127.0.0.1` and, as many clients take `localhost` for that first, `::1`.
    ///
    /// # Errors
    /// [`NotAllowed`] for what is off the loopback and was not allowed.
    pub(crate) fn of(
        listen: Option<SocketAddr>,
        admin: SocketAddr,
        allow_remote: bool,
        names: Vec<String>,
    ) -> Result<Self, NotAllowed> {
        let proxy = match listen {
            Some(address) => vec![address],
            None => vec![
                SocketAddr::from((Ipv4Addr::LOCALHOST, names::PROXY_PORT)),
                SocketAddr::from((Ipv6Addr::LOCALHOST, names::PROXY_PORT)),
            ],
        };
        let named = allow_remote && !names.is_empty();
        if let Some(remote) = proxy.iter().find(|address| is_remote(address) && !named) {
            return Err(NotAllowed::Listen(*remote));
        }
        if is_remote(&admin) && !allow_remote {
            return Err(NotAllowed::Admin(admin));
        }
        Ok(Self {
            proxy,
            admin,
            names,
        })
    }

    /// On ports that the system chooses, for this machine.
    pub(crate) fn anywhere() -> Self {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            proxy: vec![any],
            admin: any,
            names: Vec::new(),
        }
    }

    /// What the app's URLs begin with, given the address that was bound: a
    /// name where there is one, as the documentation writes it.
    pub(crate) fn base(&self, bound: SocketAddr) -> String {
        let port = bound.port();
        match self.names.first() {
            Some(name) if is_remote(&bound) => format!("http://{name}:{port}"),
            _ if bound.ip() == Ipv4Addr::LOCALHOST => format!("http://localhost:{port}"),
            _ => format!("http://{bound}"),
        }
    }
}

/// What a person should know who made the proxy reachable.
pub(crate) fn warning(bound: SocketAddr) -> Option<String> {
    is_remote(&bound)
        .then(|| format!("whoever reaches {bound} can use the credentials of these collections"))
}

fn is_remote(address: &SocketAddr) -> bool {
    match address.ip() {
        IpAddr::V4(ip) => !ip.is_loopback(),
        IpAddr::V6(ip) => !ip.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn of(listen: &str, remote: bool, names: &[&str]) -> Result<Listening, NotAllowed> {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        Listening::of(Some(address(listen)), address("127.0.0.1:0"), remote, names)
    }

    #[test]
    fn both_loopback_addresses_are_listened_on_unless_one_is_given() {
        let admin = address("127.0.0.1:2734");
        let listening = Listening::of(None, admin, false, vec![]).unwrap();
        assert_eq!(
            listening.proxy,
            [address("127.0.0.1:2733"), address("[::1]:2733")]
        );
        assert_eq!(
            of("127.0.0.1:9", false, &[]).unwrap().proxy,
            [address("127.0.0.1:9")]
        );
    }

    #[test]
    fn other_machines_need_both_a_permission_and_a_name() {
        for remote in [
            "0.0.0.0:1",
            "[::]:1",
            "192.168.1.2:1",
            "[::ffff:127.0.0.1]:1",
        ] {
            let refused = Err(NotAllowed::Listen(address(remote)));
            assert_eq!(of(remote, false, &[]), refused);
            assert_eq!(of(remote, true, &[]), refused);
            assert_eq!(of(remote, false, &["box"]), refused);
            let allowed = of(remote, true, &["box"]).unwrap();
            assert!(warning(address(remote)).unwrap().contains(remote));
            assert_eq!(allowed.base(address(remote)), "http://box:1");
        }
        let admin = address("0.0.0.0:1");
        assert_eq!(
            Listening::of(None, admin, false, vec![]),
            Err(NotAllowed::Admin(admin))
        );
        assert!(Listening::of(None, admin, true, vec![]).is_ok());
    }

    #[test]
    fn urls_have_the_name_that_the_documentation_uses() {
        for (bound, base) in [
            ("127.0.0.1:2733", "http://localhost:2733"),
            ("127.0.0.2:2733", "http://127.0.0.2:2733"),
            ("[::1]:2733", "http://[::1]:2733"),
        ] {
            let listening = of(bound, false, &["box"]).unwrap();
            assert_eq!(listening.base(address(bound)), base);
            assert_eq!(warning(address(bound)), None);
        }
    }
}
