//! The bundle, compiled.

mod on_token;
mod successor;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use credence_core::base_url::Scheme;
use credence_core::bundle::{
    Bundle, ClientCertificate, Entry, Route, TokenState, Tokens, Unavailable, Unbindable, Withheld,
};
use credence_core::placement::CompiledQuery;
use credence_core::{CollectionName, Environment, sigv4};
use credence_net::{Egress, Identity, IdentityError, TlsError, tls};
use jiff::Timestamp;
use rustls::ClientConfig;
use tokio::time::Instant;

use crate::budget::Budget;
use crate::destination::Destination;
use crate::http2::client::Windows;
use crate::metrics::{CollectionMetrics, Metrics};
use crate::own_ports::Wish;
use crate::plan::{BodyPlan, CookiePlan, Credentials, HeaderPlan, PathPlan, Unplaceable, Yielding};
use crate::problem::Problem;
use crate::signer::Signer;
use crate::slug::Slug;
use crate::standing::{Board, Standing};
use crate::upstream::{self, ALPN, Upstream};
use on_token::OnToken;
pub(crate) use successor::Successor;

/// Everything that can be called, by the first segment of a path.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    environment: Environment,
    slots: HashMap<CollectionName, Slot>,
    metrics: BTreeMap<CollectionName, Arc<CollectionMetrics>>,
}

#[derive(Clone, Debug)]
enum Slot {
    Ready(Arc<Destination>),
    /// Calls need a token.
    OnToken(OnToken),
    Unavailable(Unavailable),
    Unsupported,
}

/// Which token a route has in it, if any.
#[derive(Default)]
struct Held {
    generation: Option<u64>,
    expires_at: Option<Timestamp>,
    yielding: Option<Yielding>,
}

/// Why a collection cannot be served by this program.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(transparent)]
    Unplaceable(#[from] Unplaceable),
    #[error(transparent)]
    Unbindable(#[from] Unbindable),
    #[error("its certificates are of no use: {0}")]
    Tls(#[from] TlsError),
}

/// Makes tables, each from a bundle and the table before it.
#[derive(Debug)]
pub(crate) struct Compiler {
    egress: Egress,
    /// For connections of all collections that wait.
    places: Arc<Budget>,
    /// For streams of all collections.
    windows: Arc<Windows>,
    lineages: u64,
    metrics: Arc<Metrics>,
    board: Board,
    /// The same for all collections that trust the public roots only.
    public: Option<Arc<ClientConfig>>,
}

impl Compiler {
    /// `lineages` counts from there.
    pub(crate) fn new(egress: Egress, lineages: u64, metrics: Arc<Metrics>, board: Board) -> Self {
        Self {
            egress,
            places: Budget::of(upstream::MOST_WAITING),
            windows: Arc::default(),
            lineages,
            metrics,
            board,
            public: None,
        }
    }

    /// Compiles a bundle. What has not changed is taken over from the table
    /// before: destinations as they are, and connections to the same server.
    ///
    /// Also returns the collections that cannot be served, with the reason.
    pub(crate) fn compile(
        &mut self,
        bundle: Bundle,
        before: Option<&Table>,
    ) -> (Table, BTreeMap<String, String>) {
        // Another environment is another consumer: nothing is taken over.
        let before = before.filter(|table| table.environment == bundle.environment);
        let metrics = self.metrics.collections(bundle.collections.keys());
        let mut refused = BTreeMap::new();
        let mut slots = HashMap::with_capacity(bundle.collections.len());
        for (name, entry) in bundle.collections {
            let predecessor = before.and_then(|table| table.destination(&name));
            let slot = match entry {
                Entry::Unavailable(why) => Ok(Slot::Unavailable(why)),
                Entry::Unsupported(part) => Err(part),
                Entry::Ready(route) if route.needs_token() => {
                    let state = bundle.tokens.get(&name);
                    self.on_token(&name, route, state, predecessor, &metrics)
                        .map(Slot::OnToken)
                        .map_err(|reason| reason.to_string())
                }
                Entry::Ready(route) => self
                    .destination(&name, route, Held::default(), predecessor, &metrics)
                    .map(Slot::Ready)
                    .map_err(|reason| reason.to_string()),
            };
            let slot = slot.unwrap_or_else(|reason| {
                refused.insert(name.to_string(), reason);
                Slot::Unsupported
            });
            if let (false, Some(counters)) = (slot.is_ready(), metrics.get(&name)) {
                counters.set_credential(None);
            }
            slots.insert(name, slot);
        }
        let table = Table {
            environment: bundle.environment,
            slots,
            metrics,
        };
        (table, refused)
    }

    /// The table with other tokens. Those of collections that need none, or
    /// that are not in it, are of no use.
    ///
    /// Also returns the collections that cannot be served, with the reason.
    pub(crate) fn renew(
        &mut self,
        tokens: Tokens,
        before: &Table,
    ) -> (Table, BTreeMap<String, String>) {
        let mut table = before.clone();
        let mut refused = BTreeMap::new();
        for (name, state) in tokens {
            let Some(Slot::OnToken(OnToken {
                route, destination, ..
            })) = before.slots.get(&name)
            else {
                continue;
            };
            let route = Arc::clone(route);
            let last = destination.as_ref();
            let slot = self.on_token(&name, route, Some(&state), last, &before.metrics);
            let slot = slot.map_or_else(
                |reason| {
                    refused.insert(name.to_string(), reason.to_string());
                    Slot::Unsupported
                },
                Slot::OnToken,
            );
            table.slots.insert(name, slot);
        }
        (table, refused)
    }

    fn on_token(
        &mut self,
        name: &CollectionName,
        route: Arc<Route>,
        state: Option<&TokenState>,
        before: Option<&Arc<Destination>>,
        metrics: &BTreeMap<CollectionName, Arc<CollectionMetrics>>,
    ) -> Result<OnToken, Refused> {
        let (destination, withheld) = match state {
            Some(TokenState::Held(token)) => {
                let bound = Arc::new(route.bind(token)?);
                let held = Held {
                    generation: Some(token.generation),
                    expires_at: token.expires_at,
                    yielding: Yielding::of(&route),
                };
                let destination = self.destination(name, bound, held, before, metrics)?;
                (Some(destination), None)
            }
            Some(TokenState::Withheld(withheld)) => (before.map(Arc::clone), Some(*withheld)),
            None => (before.map(Arc::clone), Some(Withheld::UNKNOWN)),
        };
        Ok(OnToken {
            route,
            destination,
            withheld,
        })
    }

    fn destination(
        &mut self,
        name: &CollectionName,
        route: Arc<Route>,
        held: Held,
        before: Option<&Arc<Destination>>,
        metrics: &BTreeMap<CollectionName, Arc<CollectionMetrics>>,
    ) -> Result<Arc<Destination>, Refused> {
        let Held {
            generation,
            expires_at,
            yielding,
        } = held;
        let same = |before: &&Arc<Destination>| {
            before.route == route
                && before.generation == generation
                && before.expires_at == expires_at
                && before.yielding == yielding
        };
        if let Some(same) = before.filter(same) {
            return Ok(Arc::clone(same));
        }
        let path = PathPlan::compile(route.base_url.path(), route.path.as_ref())?;
        let mut headers = HeaderPlan::compile(&route.headers)?;
        let cookies = CookiePlan::compile(&route.cookies)?;
        if !cookies.is_empty() && headers.on_conflict("Cookie").is_some() {
            return Err(Unplaceable::TwoCookies.into());
        }
        let same_place = before.filter(|before| before.route.base_url == route.base_url);
        let signer = same_place.and_then(|before| before.signer.as_ref());
        let signer = Signer::compile(name, &route, signer)?;
        if signer.is_some() {
            headers = headers.leaving_out(&sigv4::FIELDS);
        }
        let upstream = match before.filter(|before| before.upstream.serves(&route)) {
            Some(before) => Arc::clone(&before.upstream),
            None => {
                let tls = match route.base_url.scheme() {
                    Scheme::Https => Some(self.tls(&route)?),
                    Scheme::Http => None,
                };
                let metrics = Arc::clone(&self.metrics);
                Arc::new(Upstream::new(
                    &route,
                    tls,
                    &self.egress,
                    Arc::clone(&self.places),
                    Arc::clone(&self.windows),
                    metrics,
                ))
            }
        };
        let lineage = before.map_or_else(
            || {
                self.lineages += 1;
                self.lineages
            },
            |before| before.lineage,
        );
        let metrics = metrics.get(name).map(Arc::clone).unwrap_or_default();
        let same = before.filter(|before| before.route.has_credential_of(&route));
        let of_ours = route.has_credential();
        if same.is_none() {
            metrics.set_credential(of_ours.then(Instant::now));
        }
        let told_of = |same: &&Arc<Destination>| {
            same.route.base_url == route.base_url && same.generation == generation
        };
        let standing = match same.filter(told_of) {
            Some(same) => Arc::clone(&same.standing),
            None => {
                let board = self.board.clone();
                let last = before.map(|before| &*before.standing);
                // Only calls that have the token say something about it.
                let is_ours = of_ours || generation.is_some();
                let standing = Standing::new(name.clone(), is_ours, generation, board);
                Arc::new(standing.after(last, Instant::now()))
            }
        };
        Ok(Arc::new(Destination {
            collection: name.clone(),
            authority: route.base_url.authority().into(),
            lineage,
            upstream,
            path,
            headers,
            cookies,
            body: BodyPlan::compile(&route.body)?,
            signer,
            query: CompiledQuery::compile(&route.query),
            credentials: Credentials::of(&route),
            route,
            generation,
            expires_at,
            yielding,
            standing,
            metrics,
        }))
    }

    fn tls(&mut self, route: &Route) -> Result<Arc<ClientConfig>, TlsError> {
        let identity = |shown: &ClientCertificate| -> Result<Identity, IdentityError> {
            Identity::parse(&shown.chain, shown.key.expose())
        };
        let shown = route.client_certificate.as_deref();
        let shown = shown.map(identity).transpose()?;
        if route.trust.is_some() || shown.is_some() {
            return tls::client_config(route.trust.as_deref(), shown, ALPN);
        }
        let config = match &self.public {
            Some(config) => Arc::clone(config),
            None => tls::client_config(None, None, ALPN)?,
        };
        self.public = Some(Arc::clone(&config));
        Ok(config)
    }
}

impl Table {
    fn destination(&self, name: &CollectionName) -> Option<&Arc<Destination>> {
        self.slots.get(name)?.destination()
    }

    /// Where calls of this collection go.
    ///
    /// # Errors
    /// The problem to answer with.
    pub(crate) fn find(&self, collection: &str) -> Result<&Arc<Destination>, Problem> {
        let Some((name, slot)) = self.slots.get_key_value(collection) else {
            return Err(Problem::new(
                Slug::UnknownCollection,
                "The first segment of the path names the collection, and there is none of that name here: GET / lists them.",
            ));
        };
        let detail = match slot {
            Slot::Ready(destination) => return Ok(destination),
            Slot::OnToken(on_token) => {
                return on_token
                    .usable(Timestamp::now)
                    .map_err(|problem| problem.of(name));
            }
            Slot::Unavailable(Unavailable::CredentialsMissing) => {
                "A Secret that the collection needs, or a key in it, is missing or of no use: the collection's status says which."
            }
            Slot::Unavailable(Unavailable::NotReady) => {
                "The collection could not be resolved: its status says why."
            }
            Slot::Unsupported => {
                "This version does not understand a part of the collection: a newer one may. A pod gets the one that is installed when it is restarted."
            }
        };
        let slug = slot.slug().unwrap_or(Slug::Unsupported);
        Err(Problem::new(slug, detail).of(name))
    }

    /// The counters of a collection.
    pub(crate) fn metrics(&self, collection: &CollectionName) -> Option<&CollectionMetrics> {
        self.metrics.get(collection).map(|counters| &**counters)
    }

    /// All destinations, in no order: also those whose token has ended, since
    /// what was begun with it goes on.
    pub(crate) fn destinations(&self) -> impl Iterator<Item = &Arc<Destination>> {
        self.slots.values().filter_map(Slot::destination)
    }

    /// Ends the standings of the credentials that the next table does not have.
    pub(crate) fn end_standings(&self, next: &Self) {
        for before in self.destinations() {
            let after = next.destination(&before.collection);
            if after.is_none_or(|after| !Arc::ptr_eq(&before.standing, &after.standing)) {
                before.standing.end();
            }
        }
    }

    /// What each collection wants with a port of its own.
    pub(crate) fn wishes(&self) -> BTreeMap<CollectionName, Wish> {
        let of_route = |route: &Route| match route.sidecar_port {
            Some(port) => Wish::Port(port),
            None => Wish::None,
        };
        let wish = |slot: &Slot| match slot {
            Slot::Ready(destination) => of_route(&destination.route),
            Slot::OnToken(on_token) => of_route(&on_token.route),
            Slot::Unavailable(_) | Slot::Unsupported => Wish::Unknown,
        };
        let slots = self.slots.iter();
        slots
            .map(|(name, slot)| (name.clone(), wish(slot)))
            .collect()
    }

    /// The environment of all of them.
    pub(crate) fn environment(&self) -> Environment {
        self.environment
    }

    /// Names and states in the order of names; a state is `ready` or the slug
    /// that a call would get.
    pub(crate) fn states(&self) -> BTreeMap<&str, &'static str> {
        let state = |(name, slot)| -> (&str, &'static str) {
            let (name, slot): (&CollectionName, &Slot) = (name, slot);
            (name.as_str(), slot.slug().map_or("ready", Slug::as_str))
        };
        self.slots.iter().map(state).collect()
    }
}

impl Slot {
    /// What is, or was, called.
    fn destination(&self) -> Option<&Arc<Destination>> {
        match self {
            Self::Ready(destination) => Some(destination),
            Self::OnToken(on_token) => on_token.destination.as_ref(),
            Self::Unavailable(_) | Self::Unsupported => None,
        }
    }

    fn is_ready(&self) -> bool {
        self.slug().is_none()
    }

    /// The problem that a call would get.
    fn slug(&self) -> Option<Slug> {
        match self {
            Self::Ready(destination) => destination.slug(),
            Self::OnToken(on_token) => {
                let usable = on_token.usable(Timestamp::now);
                usable.err().map(|problem| problem.slug)
            }
            Self::Unavailable(why) => Some((*why).into()),
            Self::Unsupported => Some(Slug::Unsupported),
        }
    }
}

#[cfg(test)]
mod tests;
