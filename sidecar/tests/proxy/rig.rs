//! A proxy with collections, for one test.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use credence_core::bundle::{Bundle, Entry, OnConflict, Placed, Route, Unavailable, Value};
use credence_core::{Environment, Secret};
use credence_sidecar::{Handle, Proxy, ProxySettings};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::caller::Caller;
use crate::provider::Provider;

/// The key that the collections of these tests set.
pub(crate) const KEY: &str = "Bearer sk-test-1";

/// A running proxy.
pub(crate) struct Rig {
    pub(crate) address: SocketAddr,
    pub(crate) handle: Handle,
    shutdown: Option<oneshot::Sender<()>>,
    pub(crate) running: JoinHandle<()>,
}

impl Rig {
    /// One without a bundle.
    pub(crate) fn empty(mut settings: ProxySettings) -> Self {
        settings.listen = vec!["127.0.0.1:0".parse().unwrap()];
        let proxy = Proxy::bind(settings).unwrap();
        let (shutdown, asked) = oneshot::channel::<()>();
        Self {
            address: proxy.local_addrs()[0],
            handle: proxy.handle(),
            shutdown: Some(shutdown),
            running: tokio::spawn(proxy.run(async {
                // A test that ends without asking has dropped the sender.
                let _ = asked.await;
            })),
        }
    }

    /// One whose collection `api` is that provider's.
    pub(crate) fn with(provider: &Provider) -> Self {
        Self::whose(provider, |_| {})
    }

    /// The same, with a route that differs by this change.
    pub(crate) fn whose(provider: &Provider, change: impl FnOnce(&mut Route)) -> Self {
        let rig = Self::empty(ProxySettings::default());
        rig.apply([("api", changed(provider, change))]);
        rig
    }

    /// Applies a bundle with these collections.
    pub(crate) fn apply<const N: usize>(
        &self,
        entries: [(&str, Entry); N],
    ) -> BTreeMap<String, String> {
        self.handle.apply(bundle(entries))
    }

    pub(crate) async fn caller(&self) -> Caller {
        Caller::connect(self.address).await
    }

    pub(crate) fn shut_down(&mut self) {
        self.shutdown.take().unwrap().send(()).unwrap();
    }
}

pub(crate) fn bundle<const N: usize>(entries: [(&str, Entry); N]) -> Bundle {
    Bundle {
        revision: "r".to_owned(),
        environment: Environment::Development,
        collections: entries
            .into_iter()
            .map(|(name, entry)| (name.parse().unwrap(), entry))
            .collect(),
        tokens: BTreeMap::new(),
    }
}

/// The provider's route, with [`KEY`] in `Authorization`.
pub(crate) fn route(provider: &Provider) -> Route {
    Route {
        headers: vec![placed("Authorization", KEY, OnConflict::Replace)],
        trust: Some(provider.roots().into()),
        allow_private_networks: true,
        ..Route::to(provider.base_url().parse().unwrap())
    }
}

/// The provider's route with a change.
pub(crate) fn changed(provider: &Provider, change: impl FnOnce(&mut Route)) -> Entry {
    let mut route = route(provider);
    change(&mut route);
    ready(route)
}

/// A value that every call gets anew, from the wire's form of it.
pub(crate) fn varying(name: &str, pieces: &serde_json::Value) -> Placed {
    Placed {
        name: name.to_owned(),
        value: Value::Varying(serde_json::from_value(pieces.clone()).unwrap()),
        private: false,
        on_conflict: OnConflict::Replace,
    }
}

pub(crate) fn placed(name: &str, value: &str, on_conflict: OnConflict) -> Placed {
    Placed {
        name: name.to_owned(),
        value: Secret::new(value).into(),
        private: true,
        on_conflict,
    }
}

pub(crate) fn ready(route: Route) -> Entry {
    Entry::Ready(Arc::new(route))
}

pub(crate) fn unavailable(why: Unavailable) -> Entry {
    Entry::Unavailable(why)
}
