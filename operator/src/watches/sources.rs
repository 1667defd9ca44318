//! Where credentials come from: the versions of Secrets and ConfigMaps, in
//! those namespaces that have collections.
//!
//! A watch tells *that* an object changed; the object itself is read by name,
//! and only when a collection names it. A watch also tells whether the
//! operator may read there at all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::stream::{AbortHandle, BoxStream, SelectAll, abortable};
use futures::{StreamExt as _, stream};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{ApiResource, DynamicObject};
use kube::runtime::watcher;
use kube::{Api, Client, ResourceExt as _};
use tokio::sync::Notify;
use tracing::{info, warn};

use super::access::{Access, Outcome};
use super::marker::Marker;
use super::mirror::{Listing, Mirror};
use super::retry::patient;
use crate::catalogue::Catalogue;
use crate::revision::SourceKind;

/// What is known of an object without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// Nothing yet: the listing is not complete.
    Awaited,
    /// The API server does not answer, and never did.
    Failing,
    /// Objects of this kind may not be read in the namespace.
    Forbidden,
    /// There is none of this name.
    Absent,
    /// It is at this `resourceVersion`.
    At(String),
}

/// Kind and namespace of one watch.
type Key = (SourceKind, String);
type Events = BoxStream<'static, (Key, watcher::Result<watcher::Event<Marker<DynamicObject>>>)>;

/// A `resourceVersion`.
#[derive(Debug, PartialEq, Eq)]
struct Version(String);

impl From<Marker<DynamicObject>> for Version {
    fn from(marker: Marker<DynamicObject>) -> Self {
        Self(marker.resource_version().unwrap_or_default())
    }
}

#[derive(Default)]
struct Source {
    access: Access,
    versions: Mirror<Version>,
    listing: Listing<Version>,
    /// Absent until the task has begun the watch.
    running: Option<AbortHandle>,
}

/// The watches of all namespaces with collections.
pub struct Sources {
    client: Client,
    catalogue: Arc<Catalogue>,
    sources: Mutex<HashMap<Key, Source>>,
    wanted: Notify,
}

impl Sources {
    /// Watches nothing until asked, and until [`Sources::run`] runs.
    pub fn new(client: Client, catalogue: Arc<Catalogue>) -> Self {
        Self {
            client,
            catalogue,
            sources: Mutex::default(),
            wanted: Notify::new(),
        }
    }

    /// What is known of an object. The first question about a namespace begins
    /// its watch; what that finds has the namespace planned again.
    pub fn known(&self, kind: SourceKind, namespace: &str, name: &str) -> Known {
        let key = (kind, namespace.to_owned());
        let mut sources = self.lock();
        let Some(source) = sources.get(&key) else {
            sources.insert(key, Source::default());
            self.wanted.notify_one();
            return Known::Awaited;
        };
        match source.access {
            Access::Awaited => Known::Awaited,
            Access::Failing => Known::Failing,
            Access::Forbidden => Known::Forbidden,
            Access::Granted { .. } => match source
                .versions
                .get(&(namespace.to_owned(), name.to_owned()))
            {
                Some(version) => Known::At(version.0.clone()),
                None => Known::Absent,
            },
        }
    }

    /// Ends the watches of a namespace that has no collections any more.
    pub fn forget(&self, namespace: &str) {
        let mut sources = self.lock();
        for kind in [SourceKind::Secret, SourceKind::ConfigMap] {
            let source = sources.remove(&(kind, namespace.to_owned()));
            if let Some(running) = source.and_then(|source| source.running) {
                running.abort();
            }
        }
    }

    /// Drives all watches, for ever.
    pub async fn run(&self) {
        let mut watches: SelectAll<Events> = SelectAll::new();
        // Keeps `next` waiting while there is no watch.
        watches.push(stream::pending().boxed());
        loop {
            tokio::select! {
                () = self.wanted.notified() => self.begin(&mut watches),
                Some((key, event)) = watches.next() => self.handle(&key, event),
            }
        }
    }

    fn begin(&self, watches: &mut SelectAll<Events>) {
        for (key, source) in &mut *self.lock() {
            if source.running.is_none() {
                let (events, running) = abortable(self.watch(key.clone()));
                source.running = Some(running);
                watches.push(events.boxed());
            }
        }
    }

    fn watch(&self, key: Key) -> Events {
        let resource = match key.0 {
            SourceKind::Secret => ApiResource::erase::<Secret>(&()),
            SourceKind::ConfigMap => ApiResource::erase::<ConfigMap>(&()),
        };
        let api: Api<Marker<DynamicObject>> =
            Api::namespaced_with(self.client.clone(), &key.1, &resource);
        patient(watcher(api, watcher::Config::default()))
            .map(move |event| (key.clone(), event))
            .boxed()
    }

    fn handle(&self, key: &Key, event: watcher::Result<watcher::Event<Marker<DynamicObject>>>) {
        let (kind, namespace) = (key.0, key.1.as_str());
        let mut sources = self.lock();
        let Some(source) = sources.get_mut(key) else {
            return; // Forgotten meanwhile.
        };
        let before = source.access;
        let (outcome, changes) = match event {
            Ok(event) => {
                let listed = matches!(event, watcher::Event::InitDone);
                let changes = source.versions.apply(event, &mut source.listing);
                (listed.then_some(Outcome::Listed), changes)
            }
            Err(error) if is_forbidden(&error) => (Some(Outcome::Refused), Vec::new()),
            Err(error) => {
                warn!(namespace, resource = kind.resource(), %error, "cannot watch");
                (Some(Outcome::Failed), Vec::new())
            }
        };
        if let Some(outcome) = outcome {
            source.access = before.after(outcome);
        }
        let after = source.access;
        if after == Access::Forbidden {
            source.versions.clear();
        }
        drop(sources);
        if !after.is_same_answer(before) {
            info!(namespace, resource = kind.resource(), access = ?after, "access changed");
            self.catalogue.plan_again(namespace);
        }
        for change in changes {
            self.catalogue
                .source_changed(namespace, kind, &change.key.1);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Source>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_forbidden(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchFailed(kube::Error::Api(status))
        | watcher::Error::WatchError(status) => status.is_forbidden(),
        watcher::Error::InitialListFailed(_)
        | watcher::Error::WatchStartFailed(_)
        | watcher::Error::WatchFailed(_)
        | watcher::Error::NoResourceVersion => false,
    }
}
