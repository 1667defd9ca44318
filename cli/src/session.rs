//! A proxy in this process that serves what files hold, and follows them.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use credence_sidecar::admin::{self, Admin};
use credence_sidecar::{BindError, Bound, Egress, Handle, InvalidEgress, Proxy, ProxySettings};
use jiff::Timestamp;
use tokio::sync::watch;

use crate::files::{self, ReadError};
use crate::listening::Listening;
use crate::plan::State;
use crate::source::{Refused, Served, Source};
use crate::watch::Watch;

/// How often the clock is looked at while something is due.
const LOOK: Duration = Duration::from_secs(60);

/// The session cannot begin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// A file cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The files cannot be served.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// A variable of the environment names no proxy that can be used.
    #[error(transparent)]
    Egress(#[from] InvalidEgress),
    /// The proxy's address cannot be bound.
    #[error("{0}: choose another address with --listen (port 0 lets the system choose)")]
    Listen(BindError),
    /// The address of health and metrics cannot be bound.
    #[error("{0}: choose another address with --admin (port 0 lets the system choose)")]
    Admin(admin::BindError),
}

/// What became of a change of the files.
#[derive(Debug)]
pub(crate) enum Change {
    /// This is served now.
    Applied(Served),
    /// The last good state is still served.
    Refused(Refused),
    /// The last good state is still served; the files cannot be read.
    Unreadable(String),
}

/// A proxy that holds its addresses and its first bundle.
pub(crate) struct Session {
    source: Source,
    watch: Watch,
    handle: Handle,
    proxy: Bound,
    admin: Admin,
    base: String,
    proxy_address: SocketAddr,
    admin_address: SocketAddr,
    revision: u64,
    due: Option<Timestamp>,
}

impl Session {
    /// Reads the files, binds the addresses and applies the first bundle.
    ///
    /// # Errors
    /// When any of this fails; then nothing listens.
    pub(crate) fn start(
        source: Source,
        listening: &Listening,
    ) -> Result<(Self, Served), StartError> {
        let files = files::read(&source.paths)?;
        let revision = 1;
        let mut served = source.read(&files, revision, Timestamp::now())?;
        let proxy = Proxy::bind(ProxySettings {
            listen: listening.proxy.clone(),
            names: listening.names.clone(),
            egress: Egress::read(|variable| std::env::var_os(variable))?,
            ..ProxySettings::default()
        })
        .map_err(StartError::Listen)?;
        let handle = proxy.handle();
        let proxy_address = proxy.local_addrs().first().copied();
        let proxy_address = proxy_address.ok_or(StartError::Listen(BindError::Nothing))?;
        let admin = admin::bind(listening.admin).map_err(StartError::Admin)?;
        apply(&handle, &mut served);
        let session = Self {
            watch: Watch::new(source.paths.clone(), files),
            source,
            handle,
            base: listening.base(proxy_address),
            proxy_address,
            proxy,
            // The system knows, or what was asked for is what is bound.
            admin_address: admin.local_addr().unwrap_or(listening.admin),
            admin,
            revision,
            due: served.plan.changes_at,
        };
        Ok((session, served))
    }

    /// Where the proxy listens.
    pub(crate) fn proxy_address(&self) -> SocketAddr {
        self.proxy_address
    }

    /// What the URLs of the collections begin with: `http://localhost:2733`.
    pub(crate) fn base(&self) -> String {
        self.base.clone()
    }

    /// Where health and metrics are.
    pub(crate) fn admin_address(&self) -> SocketAddr {
        self.admin_address
    }

    /// Serves until `shutdown` is ready and calls in flight have ended, and
    /// tells `told` what became of each change of the files.
    pub(crate) async fn serve(self, shutdown: impl Future<Output = ()>, told: impl FnMut(Change)) {
        // Closed, it ends health and metrics, which outlive the proxy's drain.
        let (draining, drained) = watch::channel(());
        let handle = self.handle.clone();
        let readiness = move || match handle.bundle_applied() {
            true => Ok(()),
            false => Err("no bundle yet".to_owned()),
        };
        let metrics = self.handle.metrics();
        let admin = async move {
            if let Err(error) = self.admin.run(metrics, readiness, closed(drained)).await {
                tracing::warn!("no health and metrics: {error}");
            }
        };
        let proxy = async move {
            self.proxy.run(shutdown).await;
            drop(draining);
        };
        let follow = follow(
            self.source,
            self.watch,
            self.handle,
            self.revision,
            self.due,
            told,
        );
        tokio::select! {
            ((), ()) = async { tokio::join!(proxy, admin) } => {}
            () = follow => {}
        }
    }
}

async fn closed(mut drained: watch::Receiver<()>) {
    while drained.changed().await.is_ok() {}
}

/// Never ends.
async fn follow(
    source: Source,
    mut watch: Watch,
    handle: Handle,
    mut revision: u64,
    mut due: Option<Timestamp>,
    mut told: impl FnMut(Change),
) {
    loop {
        tokio::select! {
            () = watch.changed() => {}
            () = until(due) => {}
        }
        // Where nothing can be said, nothing will be different by time alone.
        due = None;
        let change = match watch.last() {
            Err(error) => Change::Unreadable(error.clone()),
            Ok(files) => match source.read(files, revision + 1, Timestamp::now()) {
                Err(refused) => Change::Refused(refused),
                Ok(mut served) => {
                    revision += 1;
                    due = served.plan.changes_at;
                    apply(&handle, &mut served);
                    Change::Applied(served)
                }
            },
        };
        told(change);
    }
}

/// Waits for this time, or for ever.
async fn until(due: Option<Timestamp>) {
    let Some(due) = due else {
        return std::future::pending().await;
    };
    loop {
        match Duration::try_from(due.duration_since(Timestamp::now())) {
            // The clock may be set, or the machine sleep meanwhile.
            Ok(left) if !left.is_zero() => tokio::time::sleep(left.min(LOOK)).await,
            // It is past.
            Ok(_) | Err(_) => return,
        }
    }
}

fn apply(handle: &Handle, served: &mut Served) {
    let refused = handle.apply(served.plan.bundle.clone());
    for row in &mut served.plan.rows {
        let reason = refused.get(row.name.as_str());
        if let Some(reason) = reason.filter(|_| row.state.is_there()) {
            row.state = State::Refused(reason.clone());
        }
    }
}
