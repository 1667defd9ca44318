//! What the listener, its connections and the handle have in common.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use credence_core::CollectionName;
use credence_core::bundle::{Bundle, Tokens};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::budget::Budget;
use crate::http2::server;
use crate::limits::ProxySettings;
use crate::metrics::{Metrics, Source};
use crate::session::{BEFORE_LINEAGES, Sessions};
use crate::standing::Board;
use crate::table::{Compiler, Table};
use crate::whole_body;

/// How long the open streams of a withdrawn collection go on.
const WITHDRAWAL: Duration = Duration::from_secs(5);

/// How often unused upstream connections are looked at.
const SWEEP: Duration = Duration::from_secs(5);

/// What the heads that have begun to arrive may hold together: some hundreds
/// of the usual size. One that arrives at once is not counted, since it is gone
/// before the next one is read.
const HEADS: usize = 8 * 1024 * 1024;

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) settings: ProxySettings,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) metrics: Arc<Metrics>,
    /// For heads that arrive in pieces.
    pub(crate) heads: Arc<Budget>,
    /// For bodies that are kept whole.
    pub(crate) bodies: Arc<Budget>,
    /// For what arrives on streams before it is read.
    pub(crate) windows: Arc<Budget>,
    /// How credentials stand with their providers.
    pub(crate) board: Board,
    table: ArcSwapOption<Table>,
    compiler: Mutex<Compiler>,
    withdrawn: Mutex<Vec<Withdrawn>>,
    changed: Notify,
    /// For whoever waits for a newer token.
    pub(crate) renewed: Notify,
    /// For whoever opens the ports that the bundle names.
    pub(crate) bundled: Notify,
    own_ports: Mutex<BTreeMap<CollectionName, u16>>,
    draining: AtomicBool,
    drained: Notify,
}

#[derive(Debug)]
struct Withdrawn {
    lineage: u64,
    cut_at: Instant,
}

impl Shared {
    pub(crate) fn new(settings: ProxySettings) -> Self {
        let metrics = Arc::<Metrics>::default();
        let board = Board::default();
        let compiler = Compiler::new(
            settings.egress.clone(),
            BEFORE_LINEAGES,
            Arc::clone(&metrics),
            board.clone(),
        );
        Self {
            settings,
            sessions: Arc::default(),
            metrics,
            heads: Budget::of(HEADS),
            bodies: Budget::of(whole_body::ALL_TOGETHER),
            windows: Budget::of(server::ALL_TOGETHER),
            board,
            table: ArcSwapOption::empty(),
            compiler: Mutex::new(compiler),
            withdrawn: Mutex::default(),
            changed: Notify::new(),
            renewed: Notify::new(),
            bundled: Notify::new(),
            own_ports: Mutex::default(),
            draining: AtomicBool::new(false),
            drained: Notify::new(),
        }
    }

    /// What can be called now.
    pub(crate) fn table(&self) -> arc_swap::Guard<Option<Arc<Table>>> {
        self.table.load()
    }

    pub(crate) fn bundle_applied(&self) -> bool {
        self.table.load().is_some()
    }

    pub(crate) fn apply(&self, bundle: Bundle) -> BTreeMap<String, String> {
        // Held throughout, so that two changes are applied one after another.
        let mut compiler = self.compiler.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.table.load_full();
        let (table, refused) = compiler.compile(bundle, before.as_deref());
        self.replace(before.as_deref(), table);
        refused
    }

    /// Takes over tokens for collections of the last bundle.
    pub(crate) fn apply_tokens(&self, tokens: Tokens) -> BTreeMap<String, String> {
        let mut compiler = self.compiler.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.table.load_full();
        let Some(before) = before.as_deref() else {
            return BTreeMap::new(); // The first bundle brings its own.
        };
        let (table, refused) = compiler.renew(tokens, before);
        self.replace(Some(before), table);
        refused
    }

    fn replace(&self, before: Option<&Table>, table: Table) {
        let kept: BTreeSet<u64> = table.destinations().map(|kept| kept.lineage).collect();
        // Before the new ones can say something under the same name.
        if let Some(before) = before {
            before.end_standings(&table);
        }
        self.table.store(Some(Arc::new(table)));
        let cut_at = Instant::now() + WITHDRAWAL;
        let gone = before.iter().flat_map(|before| before.destinations());
        self.withdrawn
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(
                gone.map(|gone| gone.lineage)
                    .filter(|lineage| !kept.contains(lineage))
                    .map(|lineage| Withdrawn { lineage, cut_at }),
            );
        self.changed.notify_one();
        self.renewed.notify_waiters();
        self.bundled.notify_one();
    }

    /// The ports that collections have of their own.
    pub(crate) fn own_ports(&self) -> MutexGuard<'_, BTreeMap<CollectionName, u16>> {
        // It is replaced whole, so a panic elsewhere leaves it in order.
        self.own_ports
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an answer that took no time: one that was made here.
    pub(crate) fn count(&self, collection: Option<&CollectionName>, method: &str, status: u16) {
        let table = self.table.load();
        let named = collection
            .zip(table.as_ref())
            .and_then(|(name, table)| table.metrics(name));
        named.unwrap_or_else(|| self.metrics.unrouted()).request(
            method,
            status,
            Source::Sidecar,
            Duration::ZERO,
        );
    }

    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Release);
        self.drained.notify_waiters();
    }

    /// Ready once nothing new is to be begun.
    pub(crate) async fn drained(&self) {
        let drained = self.drained.notified();
        if !self.is_draining() {
            drained.await;
        }
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Does what is due by time alone, for as long as it is polled.
    pub(crate) async fn keep_house(&self) {
        let mut sweep_at = Instant::now() + SWEEP;
        loop {
            let due = self.next_cut().map_or(sweep_at, |cut| cut.min(sweep_at));
            tokio::select! {
                () = tokio::time::sleep_until(due) => {}
                () = self.changed.notified() => {}
            }
            let now = Instant::now();
            for lineage in self.due_cuts(now) {
                self.sessions.cut(lineage);
            }
            if now >= sweep_at {
                sweep_at = now + SWEEP;
                if let Some(table) = &*self.table.load() {
                    table.destinations().for_each(|each| each.upstream.sweep());
                }
            }
        }
    }

    fn next_cut(&self) -> Option<Instant> {
        let withdrawn = self
            .withdrawn
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        withdrawn.iter().map(|withdrawn| withdrawn.cut_at).min()
    }

    fn due_cuts(&self, now: Instant) -> Vec<u64> {
        let mut withdrawn = self
            .withdrawn
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        withdrawn
            .extract_if(.., |withdrawn| withdrawn.cut_at <= now)
            .map(|withdrawn| withdrawn.lineage)
            .collect()
    }
}
