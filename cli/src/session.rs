//! A proxy in this process that serves what files hold, and follows them.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use credence_core::CollectionName;
use credence_sidecar::admin::{self, Admin};
use credence_sidecar::{BindError, Bound, Egress, Handle, InvalidEgress, Proxy, ProxySettings};
use jiff::Timestamp;
use tokio::sync::watch;

use crate::files::{self, ReadError};
use crate::listening::Listening;
use crate::places::Places;
use crate::plan::{Plan, State};
use crate::source::{Refused, Served, Source};
use crate::tokens::news::News;
use crate::tokens::storage::Storage;
use crate::tokens::{Tokens, Turn, Update, Wanted, token_key};
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

/// What became of a change of the files, or of a token.
#[derive(Debug)]
pub(crate) enum Change {
    /// This is served now.
    Applied(Served),
    /// The last good state is still served.
    Refused(Refused),
    /// The last good state is still served; the files cannot be read.
    Unreadable(String),
    /// Something is to be told of the token of this collection.
    Token(CollectionName, News),
}

/// A proxy that holds its addresses and its first bundle.
pub(crate) struct Session {
    source: Source,
    watch: Watch,
    desk: Desk,
    proxy: Bound,
    admin: Admin,
    base: String,
    proxy_address: SocketAddr,
    admin_address: SocketAddr,
    revision: u64,
    due: Option<Timestamp>,
}

/// What takes plans and tokens to the proxy.
struct Desk {
    handle: Handle,
    places: Places,
    tokens: Tokens,
}

impl Session {
    /// Reads the files, binds the addresses and applies the first bundle. Tokens
    /// are kept in `storage`.
    ///
    /// # Errors
    /// When any of this fails; then nothing listens.
    pub(crate) fn start(
        source: Source,
        listening: &Listening,
        storage: Storage,
    ) -> Result<(Self, Served), StartError> {
        let files = files::read(&source.paths)?;
        let places = Places::of(&source.paths)?;
        let egress = Egress::read(|variable| std::env::var_os(variable))?;
        let revision = 1;
        let mut served = source.read(&files, revision, Timestamp::now())?;
        let proxy = Proxy::bind(ProxySettings {
            listen: listening.proxy.clone(),
            names: listening.names.clone(),
            egress: egress.clone(),
            ..ProxySettings::default()
        })
        .map_err(StartError::Listen)?;
        let mut desk = Desk {
            handle: proxy.handle(),
            places,
            tokens: Tokens::new(storage, egress),
        };
        let proxy_address = proxy.local_addrs().first().copied();
        let proxy_address = proxy_address.ok_or(StartError::Listen(BindError::Nothing))?;
        let admin = admin::bind(listening.admin).map_err(StartError::Admin)?;
        desk.apply(&mut served.plan);
        let session = Self {
            watch: Watch::new(source.paths.clone(), files),
            source,
            desk,
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
    pub(crate) async fn serve(
        mut self,
        shutdown: impl Future<Output = ()>,
        told: impl FnMut(Change),
    ) {
        // Closed, it ends health and metrics, which outlive the proxy's drain.
        let (draining, drained) = watch::channel(());
        let handle = self.desk.handle.clone();
        let metrics = handle.metrics();
        let readiness = move || match handle.bundle_applied() {
            true => Ok(()),
            false => Err("no bundle yet".to_owned()),
        };
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
            &mut self.desk,
            self.revision,
            self.due,
            told,
        );
        tokio::select! {
            ((), ()) = async { tokio::join!(proxy, admin) } => {}
            () = follow => {}
        }
        self.desk.tokens.stop().await;
    }
}

async fn closed(mut drained: watch::Receiver<()>) {
    while drained.changed().await.is_ok() {}
}

/// Never ends.
async fn follow(
    source: Source,
    mut watch: Watch,
    desk: &mut Desk,
    mut revision: u64,
    mut due: Option<Timestamp>,
    mut told: impl FnMut(Change),
) {
    let mut refusals = desk.handle.refusals();
    loop {
        tokio::select! {
            () = watch.changed() => {}
            () = until(due) => {}
            turn = desk.tokens.changed() => {
                desk.hand_over(turn, &mut told);
                continue;
            }
            () = refusals.changed() => {
                for (name, generation) in refusals.tokens() {
                    desk.tokens.refuse(&name, generation);
                }
                continue;
            }
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
                    desk.apply(&mut served.plan);
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

impl Desk {
    fn apply(&mut self, plan: &mut Plan) {
        let wanted = plan.orders.iter().map(|(name, ordered)| {
            let wanted = Wanted {
                token: token_key(&self.places, name, ordered),
                order: Arc::clone(&ordered.order),
            };
            (name.clone(), wanted)
        });
        let wanted = wanted.collect();
        let bundle = self.tokens.plan(plan.bundle.clone(), wanted);
        let refused = self.handle.apply(bundle);
        for row in &mut plan.rows {
            if let Some(reason) = refused
                .get(row.name.as_str())
                .filter(|_| row.state.is_there())
            {
                row.state = State::Refused(reason.clone());
            }
            if row.state == State::Ready
                && let Some(reason) = self.tokens.trouble(&row.name)
            {
                row.state = State::NoToken(reason);
            }
        }
    }

    /// Gives the proxy what tokens have become, and tells of it.
    fn hand_over(&self, turn: Turn, told: &mut impl FnMut(Change)) {
        let Turn { news, update } = turn;
        let refused = match update {
            Update::Tokens(tokens) => self.handle.apply_tokens(tokens),
            Update::Bundle(bundle) => self.handle.apply(bundle),
        };
        for (name, news) in news {
            let news = match refused.get(name.as_str()) {
                Some(reason) => News {
                    good: false,
                    text: reason.clone(),
                },
                None => news,
            };
            told(Change::Token(name, news));
        }
    }
}
