//! Bind, run, join.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use credence_core::names::{FEED_PORT, OPERATOR_ADMIN_PORT, WEBHOOK_PORT};
use kube::Client;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{info, warn};

use crate::admission::Admission;
use crate::catalogue::Catalogue;
use crate::certificates::keeper::Keeper;
use crate::certificates::{ca_bundle, resolver};
use crate::controller::Controller;
use crate::feed::reviews::Reviews;
use crate::feed::service::Feed;
use crate::feed::streams::{Counts, Streams};
use crate::feed_status::FeedStatusWriter;
use crate::metrics::Metrics;
use crate::queue::Queue;
use crate::readiness::{Check, Readiness};
use crate::server::{HTTP1, HTTP2, Server, bind};
use crate::settings::Settings;
use crate::shutdown::{self, PROPAGATION};
use crate::watches::namespaces::Namespaces;
use crate::watches::pods::Pods;
use crate::watches::sources::Sources;
use crate::{admin, lease};

/// Connections of sidecars, one each.
const FEED_CONNECTIONS: usize = 10_000;
/// Connections of API servers, which hold few and use them long.
const WEBHOOK_CONNECTIONS: usize = 256;
/// Time to take this replica's entries out of the status at the end.
const FAREWELL: Duration = Duration::from_secs(3);

/// Runs the operator until it is told to stop.
///
/// # Errors
/// When a port is taken, the cluster cannot be addressed, or a task ends that
/// should not.
pub async fn run(settings: Settings) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for signals")?;
    let webhook = bind(settings.address, WEBHOOK_PORT)
        .await
        .context("the webhook's port")?;
    let feed = bind(settings.address, FEED_PORT)
        .await
        .context("the feed's port")?;
    let admin = bind(settings.address, OPERATOR_ADMIN_PORT)
        .await
        .context("the admin port")?;
    let client = Client::try_default()
        .await
        .context("no cluster is configured")?;

    let readiness = Readiness::default();
    let metrics = Arc::new(Metrics::default());
    let (drain, draining) = shutdown::channel();
    let (release, released) = shutdown::channel();
    let (leads, leader) = watch::channel(false);

    let queue = Queue::default();
    let catalogue = Arc::new(Catalogue::new(queue.clone()));
    let sources = Arc::new(Sources::new(client.clone(), catalogue.clone()));
    let namespaces = Namespaces::default();
    let pods = Pods::new(client.clone());
    let streams = Streams::new(metrics.clone());
    let (keeper, held) = Keeper::new(
        client.clone(),
        &settings,
        leader.clone(),
        readiness.clone(),
        metrics.clone(),
    );
    let (controller, collections) = Controller::new(
        client.clone(),
        catalogue.clone(),
        sources.clone(),
        queue,
        leader.clone(),
        readiness.clone(),
        metrics.clone(),
    );
    let status = Arc::new(FeedStatusWriter {
        client: client.clone(),
        replica: settings.pod_name.as_str().into(),
        namespace: settings.namespace.clone(),
        store: controller.store(),
        streams: streams.clone(),
        pods: pods.clone(),
        leader: leader.clone(),
    });
    let admission = Arc::new(Admission::new(
        &settings,
        held.clone(),
        namespaces.clone(),
        metrics.clone(),
    ));
    let feed_service = Arc::new(Feed {
        reviews: Reviews::new(client.clone()),
        pods: pods.clone(),
        catalogue: catalogue.clone(),
        streams,
        readiness: readiness.clone(),
        metrics: metrics.clone(),
        sidecar_image: settings.sidecar_image.as_str().into(),
        shutdown: draining.clone(),
    });
    let webhook_tls = resolver::server_config(held.clone(), &[HTTP2, HTTP1])?;
    let feed_tls = resolver::server_config(held.clone(), &[HTTP2])?;
    let webhook = Server::new(webhook, webhook_tls, WEBHOOK_CONNECTIONS);
    let feed = Server::new(feed, feed_tls, FEED_CONNECTIONS);

    // Never end by themselves.
    let mut background = Tasks::default();
    background.spawn("admin", admin::serve(admin, readiness.clone(), metrics));
    background.spawn("certificates", keeper.run());
    let configuration = settings.webhook_configuration.clone();
    background.spawn(
        "caBundle",
        ca_bundle::keep(
            client.clone(),
            configuration,
            held,
            leader,
            readiness.clone(),
        ),
    );
    background.spawn(
        "namespaces",
        namespaces.follow(client.clone(), catalogue.clone(), readiness.clone()),
    );
    background.spawn("pods", pods.follow(catalogue, readiness.clone()));
    background.spawn("sources", async move { sources.run().await });
    background.spawn("collections", collections.follow());
    background.spawn("controller", controller.run());
    background.spawn("status", {
        let status = status.clone();
        async move { status.run().await }
    });
    // End when they are told to.
    let mut servers = Tasks::default();
    servers.spawn("webhook", {
        let draining = draining.clone();
        async move { webhook.run(|| admission.connect(), draining).await }
    });
    servers.spawn("feed", async move {
        feed.run(|| feed_service.connect(), draining).await
    });
    let mut election = JoinSet::new();
    election.spawn(async move { lease::follow(client, &settings, leads, released).await });

    info!(version = env!("CARGO_PKG_VERSION"), "the operator runs");
    tokio::select! {
        () = told(&mut terminate, &mut interrupt) => {}
        name = background.ended() => bail!("the task {name} ended"),
        name = servers.ended() => bail!("the task {name} ended"),
        Some(ended) = election.join_next() => {
            ended.context("the election failed")??;
            bail!("the election ended");
        }
    }

    info!("the operator stops");
    readiness.set(Check::Serving, false);
    let stop = async {
        tokio::time::sleep(PROPAGATION).await;
        drain.drain();
        servers.join().await;
        background.end("status").await;
        if tokio::time::timeout(FAREWELL, status.write(&Counts::new()))
            .await
            .is_err()
        {
            warn!("the last status could not be written in time");
        }
        release.drain();
        match election.join_next().await {
            Some(ended) => ended.context("the election failed")?,
            None => Ok(()),
        }
    };
    tokio::select! {
        stopped = stop => stopped,
        () = told(&mut terminate, &mut interrupt) => bail!("told to stop at once"),
    }
}

async fn told(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// Tasks with names, so that one that ends can be named.
#[derive(Default)]
struct Tasks(
    JoinSet<&'static str>,
    Vec<(&'static str, tokio::task::AbortHandle)>,
);

impl Tasks {
    fn spawn(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let handle = self.0.spawn(async move {
            task.await;
            name
        });
        self.1.push((name, handle));
    }

    /// The name of the first task that ends.
    async fn ended(&mut self) -> String {
        match self.0.join_next().await {
            Some(Ok(name)) => name.to_owned(),
            Some(Err(error)) => error.to_string(),
            None => "none".to_owned(),
        }
    }

    /// Ends one task and leaves the others.
    async fn end(&mut self, name: &str) {
        for (_, task) in self.1.iter().filter(|(named, _)| *named == name) {
            task.abort();
            while !task.is_finished() {
                tokio::task::yield_now().await;
            }
        }
    }

    async fn join(&mut self) {
        while self.0.join_next().await.is_some() {}
    }
}
