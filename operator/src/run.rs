//! Bind, run, join.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use credence_broker::{Clock, Egress, Exchange, PrivateNetworks, Tools, Trial};
use credence_core::names::{FEED_PORT, OPERATOR_ADMIN_PORT, WEBHOOK_PORT};
use kube::{Client, Config};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{info, warn};

use crate::admission::Admission;
use crate::catalogue::Catalogue;
use crate::certificates::ca_bundle::CaBundle;
use crate::certificates::keeper::{Keeper, Outlets};
use crate::certificates::{Authorities, resolver};
use crate::controller::{Controllers, Planner};
use crate::events::{Announcer, Events};
use crate::feed::attempts::Attempts;
use crate::feed::reviews::Reviews;
use crate::feed::service::Feed;
use crate::feed::streams::{Counts, Streams};
use crate::feed_status::FeedStatusWriter;
use crate::inject::{self, EgressProxy};
use crate::metrics::Metrics;
use crate::queue::Queue;
use crate::random;
use crate::readiness::{Check, Readiness};
use crate::server::{HTTP1, HTTP2, Server, bind};
use crate::settings::Settings;
use crate::shutdown::{self, PROPAGATION, Shutdown, Trigger};
use crate::tasks::Tasks;
use crate::tokens::cluster_accounts::{ClusterAccounts, OWN_TOKEN};
use crate::tokens::counted::Counted;
use crate::tokens::follow;
use crate::tokens::keepers::Keepers;
use crate::tokens::refusals::Refusals;
use crate::tokens::secret_store::SecretStore;
use crate::verification::verifier::{self, Verifier};
use crate::watches::bounds::NamespaceBounds;
use crate::watches::namespaces::Namespaces;
use crate::watches::pods::Pods;
use crate::watches::sources::Sources;
use crate::{admin, events, lease};

/// Connections of sidecars, one each.
const FEED_CONNECTIONS: usize = 10_000;
/// More than ever come: what asks the webhook never proves who it is, so its
/// connections stay arrivals, whose number is bounded.
const WEBHOOK_CONNECTIONS: usize = 1024;
/// Time to take this replica's entries out of the status at the end.
const FAREWELL: Duration = Duration::from_secs(3);

/// Runs the operator until it is told to stop.
///
/// # Errors
/// When a port is taken, the cluster cannot be addressed, or a task ends that
/// should not.
pub async fn run(settings: Settings) -> anyhow::Result<()> {
    settings.check()?;
    let mut signals = Signals::new()?;
    let ports = Ports::bind(&settings).await?;
    // Never a kubeconfig that happens to lie around: that could be anybody's.
    let config = Config::incluster().context("this program runs in a pod of a cluster only")?;
    let client = Client::try_from(config).context("the cluster cannot be addressed")?;
    let mut operator = Operator::start(settings, client, ports)?;
    info!(version = env!("CARGO_PKG_VERSION"), "the operator runs");
    tokio::select! {
        () = signals.told() => info!("the operator stops"),
        failed = operator.failed() => return failed,
    }
    tokio::select! {
        stopped = operator.stop() => stopped,
        () = signals.told() => bail!("told to stop at once"),
    }
}

/// The ports, bound before anything else happens.
struct Ports {
    webhook: TcpListener,
    feed: TcpListener,
    admin: TcpListener,
}

impl Ports {
    async fn bind(settings: &Settings) -> anyhow::Result<Self> {
        let bound = |port| async move {
            let listener = bind(settings.address, port).await;
            listener.with_context(|| format!("cannot bind port {port}"))
        };
        Ok(Self {
            webhook: bound(WEBHOOK_PORT).await?,
            feed: bound(FEED_PORT).await?,
            admin: bound(OPERATOR_ADMIN_PORT).await?,
        })
    }
}

/// What the tasks share.
struct Shared {
    client: Client,
    settings: Settings,
    egress: Option<EgressProxy>,
    readiness: Readiness,
    metrics: Arc<Metrics>,
    catalogue: Arc<Catalogue>,
    namespaces: Namespaces,
    bounds: NamespaceBounds,
    pods: Pods,
    streams: Streams,
    events: Events,
    leader: watch::Receiver<bool>,
    draining: Shutdown,
    /// From when on no keeper begins anything.
    resting: Shutdown,
}

/// Everything that runs.
struct Operator {
    /// Never end by themselves.
    background: Tasks,
    /// End when they are told to.
    servers: Tasks,
    election: JoinSet<anyhow::Result<()>>,
    status: Arc<FeedStatusWriter>,
    readiness: Readiness,
    rest: Trigger,
    drain: Trigger,
    release: Trigger,
}

impl Operator {
    fn start(settings: Settings, client: Client, ports: Ports) -> anyhow::Result<Self> {
        let (rest, resting) = shutdown::channel();
        let (drain, draining) = shutdown::channel();
        let (release, released) = shutdown::channel();
        let (leads, leader) = watch::channel(false);
        let egress = settings.egress_proxy().context("--sidecar-https-proxy")?;
        let queue = Queue::default();
        let metrics = Arc::new(Metrics::default());
        let (events, writer) = events::channel(client.clone(), &settings.pod_name);
        let shared = Shared {
            readiness: Readiness::default(),
            catalogue: Arc::new(Catalogue::new(
                queue.clone(),
                &settings.cluster_credentials_namespace,
            )),
            namespaces: Namespaces::default(),
            bounds: NamespaceBounds::default(),
            pods: Pods::new(client.clone()),
            streams: Streams::new(metrics.clone()),
            client,
            settings,
            egress,
            metrics,
            events,
            leader,
            draining,
            resting,
        };
        let mut background = Tasks::default();
        background.spawn("events", writer.run());
        let admin = admin::serve(
            ports.admin,
            shared.readiness.clone(),
            shared.metrics.clone(),
            shared.catalogue.clone(),
        );
        background.spawn("admin", admin);
        let held = shared.keep_certificates(&mut background);
        let status = shared.watch_and_plan(&mut background, queue);
        let mut servers = Tasks::default();
        shared.serve_webhook(&mut servers, ports.webhook, held.clone())?;
        shared.serve_feed(&mut servers, ports.feed, held)?;
        shared.keep_tokens(&mut background, &mut servers)?;
        shared.verify(&mut background)?;
        let mut election = JoinSet::new();
        let Shared {
            client,
            settings,
            readiness,
            ..
        } = shared;
        election.spawn(async move { lease::follow(client, &settings, leads, released).await });
        Ok(Self {
            background,
            servers,
            election,
            status,
            readiness,
            rest,
            drain,
            release,
        })
    }

    /// Waits for something to end that should not.
    async fn failed(&mut self) -> anyhow::Result<()> {
        tokio::select! {
            task = self.background.ended() => bail!("the task {task} ended"),
            task = self.servers.ended() => bail!("the task {task} ended"),
            Some(ended) = self.election.join_next() => {
                ended.context("the election failed")??;
                bail!("the election ended");
            }
        }
    }

    /// Stops in the order in which nobody notices.
    async fn stop(&mut self) -> anyhow::Result<()> {
        self.readiness.set(Check::Serving, false);
        // A refresh that began only now could outlast the pod, and its refresh
        // token with it.
        self.rest.drain();
        tokio::time::sleep(PROPAGATION).await;
        self.drain.drain();
        self.servers.join().await;
        self.background.end("status").await;
        let nobody = Counts::new();
        let farewell = self.status.write(&nobody);
        if tokio::time::timeout(FAREWELL, farewell).await.is_err() {
            warn!("the last status could not be written in time");
        }
        self.release.drain();
        match self.election.join_next().await {
            Some(ended) => ended.context("the election failed")?,
            None => Ok(()),
        }
    }
}

impl Shared {
    fn keep_certificates(&self, tasks: &mut Tasks) -> watch::Receiver<Arc<Authorities>> {
        let (keeper, Outlets { held, trust }) = Keeper::new(
            self.client.clone(),
            &self.settings,
            self.leader.clone(),
            self.pods.clone(),
            self.readiness.clone(),
            self.metrics.clone(),
        );
        let (announced, seen) = watch::channel(None);
        tasks.spawn("certificates", keeper.run(seen));
        let bundle = CaBundle {
            client: self.client.clone(),
            name: self.settings.webhook_configuration.clone(),
            trust,
            leader: self.leader.clone(),
            announced,
            readiness: self.readiness.clone(),
        };
        tasks.spawn("caBundle", bundle.keep());
        held
    }

    fn watch_and_plan(&self, tasks: &mut Tasks, queue: Queue) -> Arc<FeedStatusWriter> {
        let (client, catalogue, readiness) = (&self.client, &self.catalogue, &self.readiness);
        let sources = Arc::new(Sources::new(client.clone(), catalogue.clone()));
        let announcer = Announcer {
            events: self.events.clone(),
            leader: self.leader.clone(),
        };
        let planner = Planner::new(
            client.clone(),
            catalogue.clone(),
            sources.clone(),
            queue,
            announcer.clone(),
            readiness.clone(),
            self.metrics.clone(),
        );
        let controllers = Controllers::new(&planner);
        let status = Arc::new(FeedStatusWriter {
            client: client.clone(),
            replica: self.settings.pod_name.as_str().into(),
            namespace: self.settings.namespace.clone(),
            stores: controllers.stores(),
            streams: self.streams.clone(),
            pods: self.pods.clone(),
            leader: self.leader.clone(),
        });
        let (namespaces, pods) = (self.namespaces.clone(), self.pods.clone());
        tasks.spawn(
            "namespaces",
            namespaces.follow(
                client.clone(),
                catalogue.clone(),
                readiness.clone(),
                announcer,
            ),
        );
        let bounds = self.bounds.clone();
        tasks.spawn("bounds", bounds.follow(client.clone(), readiness.clone()));
        let settings = &self.settings;
        let (image, feed) = (&settings.sidecar_image, settings.feed_address());
        let template = inject::template(image, &feed, self.egress.as_ref());
        tasks.spawn(
            "pods",
            pods.follow(
                catalogue.clone(),
                readiness.clone(),
                self.metrics.clone(),
                template,
            ),
        );
        tasks.spawn("sources", async move { sources.run().await });
        let (controller, collections) = controllers.of_namespaces;
        tasks.spawn("collections", collections.follow());
        tasks.spawn("controller", controller.run());
        let (controller, collections) = controllers.of_cluster;
        tasks.spawn("cluster collections", collections.follow());
        tasks.spawn("cluster controller", controller.run());
        let writer = status.clone();
        tasks.spawn("status", async move { writer.run().await });
        status
    }

    /// Keepers end like servers: what they have begun is brought to its end
    /// before another replica may lead.
    fn keep_tokens(&self, background: &mut Tasks, servers: &mut Tasks) -> anyhow::Result<()> {
        let namespace = &self.settings.namespace;
        let follow = follow::follow(
            self.client.clone(),
            namespace.clone(),
            self.catalogue.clone(),
        );
        background.spawn("token states", follow);
        let egress = Egress::read(|name| std::env::var_os(name))?;
        let accounts = ClusterAccounts::new(self.client.clone(), OWN_TOKEN.into());
        let exchange = Exchange::new(egress, self.private_networks()).with_accounts(accounts);
        let store = SecretStore::new(self.client.clone(), namespace);
        // A container that is started again has the name of its pod, too.
        let holder = format!("{}-{}", self.settings.pod_name, random::name());
        let issuer = Counted::new(exchange, self.metrics.clone());
        let tools = Tools::new(store.clone(), issuer, Clock::system(), holder);
        let (catalogue, leader) = (self.catalogue.clone(), self.leader.clone());
        let keepers = Keepers::new(catalogue, store, tools, leader);
        servers.spawn("keepers", keepers.run(self.resting.clone()));
        Ok(())
    }

    /// A call that only looks may be broken off at any time.
    fn verify(&self, background: &mut Tasks) -> anyhow::Result<()> {
        let egress = Egress::read(|name| std::env::var_os(name))?;
        let trial = Trial::new(egress, self.private_networks(), verifier::TIMEOUT);
        let (catalogue, leader) = (self.catalogue.clone(), self.leader.clone());
        let verifier = Verifier::new(catalogue, trial, Clock::system(), leader);
        background.spawn("verifications", verifier.run());
        Ok(())
    }

    fn private_networks(&self) -> PrivateNetworks {
        PrivateNetworks::Only(self.settings.broker_private_network.as_slice().into())
    }

    fn serve_webhook(
        &self,
        tasks: &mut Tasks,
        listener: TcpListener,
        held: watch::Receiver<Arc<Authorities>>,
    ) -> anyhow::Result<()> {
        let tls = resolver::server_config(held.clone(), &[HTTP2, HTTP1])?;
        let server = Server::new(listener, tls, WEBHOOK_CONNECTIONS);
        let admission = Arc::new(Admission::new(
            &self.settings,
            self.egress.clone(),
            held,
            self.namespaces.clone(),
            self.bounds.clone(),
            self.events.clone(),
            self.metrics.clone(),
        ));
        let draining = self.draining.clone();
        tasks.spawn("webhook", async move {
            server
                .run(|arrival| admission.connect(arrival), draining)
                .await;
        });
        Ok(())
    }

    fn serve_feed(
        &self,
        tasks: &mut Tasks,
        listener: TcpListener,
        held: watch::Receiver<Arc<Authorities>>,
    ) -> anyhow::Result<()> {
        let tls = resolver::server_config(held.clone(), &[HTTP2])?;
        let server = Server::new(listener, tls, FEED_CONNECTIONS);
        let feed = Arc::new(Feed {
            attempts: Attempts::default(),
            reviews: Reviews::new(self.client.clone()),
            pods: self.pods.clone(),
            catalogue: self.catalogue.clone(),
            streams: self.streams.clone(),
            refusals: Refusals::new(
                self.catalogue.clone(),
                SecretStore::new(self.client.clone(), &self.settings.namespace),
            ),
            readiness: self.readiness.clone(),
            metrics: self.metrics.clone(),
            sidecar_image: self.settings.sidecar_image.as_str().into(),
            address: self.settings.feed_address(),
            held,
            shutdown: self.draining.clone(),
        });
        let draining = self.draining.clone();
        tasks.spawn("feed", async move {
            server.run(|arrival| feed.connect(arrival), draining).await;
        });
        Ok(())
    }
}

/// What tells a process to stop: of an orchestrator, or of a person.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    async fn told(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
