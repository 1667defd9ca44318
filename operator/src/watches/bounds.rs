//! What each namespace demands of its containers' resources.

use std::fmt::Debug;
use std::sync::Arc;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{LimitRange, ResourceQuota};
use kube::runtime::watcher;
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tracing::warn;

use super::mirror::{Listing, Mirror};
use super::retry::patient;
use crate::inject::Bounds;
use crate::readiness::{Check, Readiness};

/// The demands of all namespaces: objects of the two kinds, as far as they
/// concern a sidecar.
#[derive(Clone, Debug, Default)]
pub struct NamespaceBounds {
    ranges: Arc<Mirror<Bounds>>,
    quotas: Arc<Mirror<Bounds>>,
}

impl NamespaceBounds {
    /// What this namespace demands, all its objects together.
    pub fn of(&self, namespace: &str) -> Bounds {
        let of = |mirror: &Mirror<Bounds>| mirror.of_namespace(namespace);
        let all = of(&self.ranges).into_iter().chain(of(&self.quotas));
        all.fold(Bounds::default(), |bounds, other| bounds.and(&other))
    }

    /// Watches for ever.
    pub async fn follow(self, client: Client, readiness: Readiness) {
        tokio::join!(
            follow::<LimitRange>(&self.ranges, client.clone(), &readiness, Check::LimitRanges),
            follow::<ResourceQuota>(&self.quotas, client, &readiness, Check::ResourceQuotas),
        );
    }
}

async fn follow<K>(mirror: &Mirror<Bounds>, client: Client, readiness: &Readiness, check: Check)
where
    K: Resource<DynamicType = ()>
        + Clone
        + Debug
        + DeserializeOwned
        + Into<Bounds>
        + Send
        + 'static,
{
    let mut events = patient(watcher(Api::<K>::all(client), watcher::Config::default()));
    let mut listing = Listing::default();
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                let listed = matches!(event, watcher::Event::InitDone);
                // Pods that exist are not touched, so nobody waits for a change.
                drop(mirror.apply(event, &mut listing));
                if listed {
                    readiness.set(check, true);
                }
            }
            Err(error) => warn!(%error, kind = %K::kind(&()), "cannot watch"),
        }
    }
}
