//! The sidecar as a whole: the proxy, its feed, and its health.

use std::future::Future;

use anyhow::{anyhow, bail};
use tokio::task::JoinSet;

use crate::admin::{self, Admin};
use crate::feed::{Feed, Update};
use crate::settings::Settings;
use crate::{Bound, Proxy, ProxySettings};

/// A sidecar that holds its ports and serves nothing yet.
#[derive(Debug)]
pub struct Sidecar {
    feed: Feed,
    proxy: Bound,
    admin: Admin,
}

impl Sidecar {
    /// Binds everything.
    ///
    /// # Errors
    /// A setting that cannot be used, or a port that is taken.
    pub fn bind(settings: Settings) -> anyhow::Result<Self> {
        Ok(Self {
            feed: Feed::new(settings.feed)?,
            proxy: Proxy::bind(ProxySettings {
                listen: settings.listen,
                egress: settings.egress,
                ..ProxySettings::default()
            })?,
            admin: admin::bind(settings.admin)?,
        })
    }

    /// Serves until `shutdown` is ready and what is in flight has ended. Needs
    /// a tokio runtime with I/O and time.
    ///
    /// # Errors
    /// A part that ended by itself.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            proxy = ?self.proxy.local_addrs(),
            admin = %self.admin.local_addr()?,
            "listening"
        );
        let (feed, handle) = (self.feed, self.proxy.handle());
        let readiness = {
            let (handle, trouble) = (handle.clone(), feed.trouble());
            move || match handle.bundle_applied() {
                true => Ok(()),
                false => Err(waiting(trouble.borrow().as_deref())),
            }
        };
        let health = self
            .admin
            .run(handle.metrics(), readiness, std::future::pending());
        let mut beside = JoinSet::new();
        beside.spawn(health);
        let refusals = handle.refusals();
        beside.spawn(async move {
            let apply = |update| match update {
                Update::Bundle(bundle) => handle.apply(bundle),
                Update::Tokens(tokens) => handle.apply_tokens(tokens),
            };
            match feed.follow(apply, refusals).await {}
        });
        tokio::select! {
            () = self.proxy.run(shutdown) => Ok(()),
            Some(ended) = beside.join_next() => {
                // The texts hold their causes, as all errors of this crate do.
                ended
                    .map_err(|error| anyhow!("a part of the sidecar broke: {error}"))?
                    .map_err(|error| anyhow!("health and metrics broke: {error}"))?;
                bail!("a part of the sidecar ended by itself");
            }
        }
    }
}

fn waiting(trouble: Option<&str>) -> String {
    let why = trouble.unwrap_or("it is being applied");
    format!("waiting for the first bundle: {why}")
}

#[cfg(test)]
mod refused_token;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::net::{IpAddr, Ipv4Addr, SocketAddr};
    use std::sync::Arc;

    use credence_core::bundle::{Bundle, Entry, OnConflict, Placed, Route};
    use credence_core::reception::Said;
    use credence_core::wire::{Event, Report};
    use credence_core::{Environment, Secret};
    use tempfile::NamedTempFile;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use credence_net::Egress;

    use super::*;
    use crate::feed::FeedSettings;
    use crate::feed::tests::operator::Operator;
    use crate::feed::tests::{bundle, file_with, hello};

    pub(super) const ANY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

    pub(super) fn settings(operator: &Operator, token: &NamedTempFile) -> Settings {
        Settings {
            egress: Egress::default(),
            listen: vec![ANY],
            admin: ANY,
            feed: FeedSettings {
                address: operator.address.to_string(),
                roots: operator.root.clone(),
                token_file: token.path().to_owned(),
            },
        }
    }

    pub(super) async fn get(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn a_sidecar_is_ready_with_its_first_bundle_and_ends_when_asked() {
        let mut operator = Operator::with_token("t1").await;
        let token = file_with("t1");
        let sidecar = Sidecar::bind(settings(&operator, &token)).unwrap();
        let proxy = sidecar.proxy.local_addrs()[0];
        let admin = sidecar.admin.local_addr().unwrap();
        let life = async {
            let stream = operator.stream().await;
            let early = get(admin, "/readyz").await;
            assert!(early.starts_with("HTTP/1.1 503 "), "{early}");
            assert!(early.contains("waiting for the first bundle"), "{early}");
            assert!(get(proxy, "/openai/").await.contains("not-ready"));
            stream.event(&hello("s1"));
            stream.event(&bundle("r1"));
            operator.ack().await;
            assert!(get(admin, "/readyz").await.starts_with("HTTP/1.1 200 "));
            assert!(get(proxy, "/other/").await.contains("unknown-collection"));
            let metrics = get(admin, "/metrics").await;
            let counted = r#"credence_requests_total{collection="",method="GET",code_class="4xx",source="sidecar"} 1"#;
            assert!(metrics.contains(counted), "{metrics}");
        };
        sidecar.run(life).await.unwrap();
    }

    /// A provider that answers 401 to everyone.
    async fn refusing(listener: TcpListener) {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = vec![0; 4096];
            let read = stream.read(&mut head).await.unwrap();
            assert!(head[..read].ends_with(b"\r\n\r\n"));
            let answer = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 9\r\n\r\nsk_live_1";
            stream.write_all(answer).await.unwrap();
        }
    }

    fn bundle_with(key: &str, revision: &str, provider: SocketAddr) -> Event {
        let key = Placed {
            name: "Authorization".to_owned(),
            value: Secret::new(key).into(),
            private: true,
            on_conflict: OnConflict::Replace,
        };
        let route = Route {
            headers: vec![key],
            allow_private_networks: true,
            ..Route::to(format!("http://{provider}").parse().unwrap())
        };
        Event::Bundle(Bundle {
            revision: revision.to_owned(),
            environment: Environment::Live,
            collections: BTreeMap::from([(
                "openai".parse().unwrap(),
                Entry::Ready(Arc::new(route)),
            )]),
            tokens: BTreeMap::new(),
        })
    }

    #[tokio::test]
    async fn a_refused_credential_is_reported_for_each_bundle_that_has_it() {
        let listener = TcpListener::bind(ANY).await.unwrap();
        let provider = listener.local_addr().unwrap();
        let mut serving = JoinSet::new();
        serving.spawn(refusing(listener));
        let mut operator = Operator::with_token("t1").await;
        let token = file_with("t1");
        let sidecar = Sidecar::bind(settings(&operator, &token)).unwrap();
        let proxy = sidecar.proxy.local_addrs()[0];
        let life = async {
            let stream = operator.stream().await;
            stream.event(&hello("s1"));
            stream.event(&bundle_with("wrong", "r1", provider));
            operator.ack().await;
            for _ in 0..3 {
                let answer = get(proxy, "/openai/").await;
                assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
            }
            let expected = |revision: &str| Report {
                stream: "s1".to_owned(),
                revision: revision.to_owned(),
                collection: "openai".to_owned(),
                said: Said {
                    status: Some(401),
                    worked: false,
                    generation: None,
                    named: false,
                },
            };
            assert_eq!(operator.report().await, expected("r1"));
            // The same key in another bundle is refused all the same; another
            // key is not until it was tried.
            stream.event(&bundle_with("wrong", "r2", provider));
            operator.ack().await;
            assert_eq!(operator.report().await, expected("r2"));
            stream.event(&bundle_with("other", "r3", provider));
            operator.ack().await;
            get(proxy, "/openai/").await;
            assert_eq!(operator.report().await, expected("r3"));
        };
        sidecar.run(life).await.unwrap();
    }

    #[tokio::test]
    async fn a_port_that_is_taken_is_one_sentence_with_its_address() {
        let operator = Operator::with_token("t1").await;
        let token = file_with("t1");
        let held = std::net::TcpListener::bind(ANY).unwrap();
        let taken = held.local_addr().unwrap();
        let settings = settings(&operator, &token);
        for wrong in [
            Settings {
                listen: vec![taken],
                ..settings.clone()
            },
            Settings {
                admin: taken,
                ..settings
            },
        ] {
            let error = Sidecar::bind(wrong).unwrap_err().to_string();
            assert!(error.contains(&taken.to_string()), "{error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }
}
