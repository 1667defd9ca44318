//! A provider of tokens that keeps count, and misbehaves when it is told to.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use credence_broker::{Asking, Clock, Issuer, Unanswered};
use credence_core::token::{RawAnswer, RefreshResult, Terms};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Semaphore;

/// What is asked for, in these tests: the terms alone.
#[derive(Debug)]
pub(crate) struct Order(pub(crate) Terms);

impl AsRef<Terms> for Order {
    fn as_ref(&self) -> &Terms {
        &self.0
    }
}

/// What it does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Answers.
    Healthy,
    /// Cannot be reached.
    Down,
    /// Answers with this status and nothing else.
    Status(u16),
    /// Does what it is asked for, and the answer is lost.
    Lost,
    /// Refuses the client.
    InvalidClient,
    /// Answers, with so much around it that it is nearly a mebibyte.
    Lengthy,
    /// Answers with a page of nearly a mebibyte, and does nothing.
    LengthyPage,
}

/// So long that no Secret holds it in base64.
const LENGTHY: usize = 900 * 1024;

/// Replaces the refresh token each time; who shows an old one loses all.
pub(crate) struct Provider {
    clock: Clock,
    lifetime: i64,
    grace: SignedDuration,
    state: Mutex<State>,
    /// Requests wait here before anything is done, while it is closed.
    pub(crate) entrance: Gate,
    /// Answers wait here when everything is done, while it is closed.
    pub(crate) exit: Gate,
}

struct State {
    mood: Mood,
    current: String,
    replaced: HashMap<String, Timestamp>,
    revoked: bool,
    access: HashMap<String, Timestamp>,
    tokens: u64,
    requests: Vec<Timestamp>,
    reuses: u64,
    results: Vec<RefreshResult>,
}

/// Lets through what comes, or holds it back.
pub(crate) struct Gate {
    permits: Semaphore,
    waiting: Semaphore,
}

impl Gate {
    fn open_one() -> Self {
        Self {
            permits: Semaphore::new(Semaphore::MAX_PERMITS >> 1),
            waiting: Semaphore::new(0),
        }
    }

    pub(crate) fn close(&self) {
        self.permits.forget_permits(usize::MAX);
    }

    pub(crate) fn open(&self) {
        self.permits.add_permits(Semaphore::MAX_PERMITS >> 1);
    }

    /// Until somebody stands before it.
    pub(crate) async fn reached(&self) {
        self.waiting.acquire().await.unwrap().forget();
    }

    async fn pass(&self) {
        if self.permits.try_acquire().is_ok() {
            return;
        }
        self.waiting.add_permits(1);
        drop(self.permits.acquire().await.unwrap());
    }
}

impl Provider {
    pub(crate) fn new(clock: Clock, lifetime: i64) -> Self {
        Self {
            clock,
            lifetime,
            grace: SignedDuration::ZERO,
            state: Mutex::new(State {
                mood: Mood::Healthy,
                current: "seed".to_owned(),
                replaced: HashMap::new(),
                revoked: false,
                access: HashMap::new(),
                tokens: 0,
                requests: Vec::new(),
                reuses: 0,
                results: Vec::new(),
            }),
            entrance: Gate::open_one(),
            exit: Gate::open_one(),
        }
    }

    pub(crate) fn with_grace(mut self, grace: Duration) -> Self {
        self.grace = SignedDuration::try_from(grace).unwrap();
        self
    }

    fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().unwrap())
    }

    pub(crate) fn be(&self, mood: Mood) {
        self.with(|state| state.mood = mood);
    }

    /// How many tokens it has given.
    pub(crate) fn tokens(&self) -> u64 {
        self.with(|state| state.tokens)
    }

    /// When it was asked.
    pub(crate) fn requests(&self) -> Vec<Timestamp> {
        self.with(|state| state.requests.clone())
    }

    /// How often somebody showed a refresh token that was replaced.
    pub(crate) fn reuses(&self) -> u64 {
        self.with(|state| state.reuses)
    }

    /// What it was told that came of requests.
    pub(crate) fn results(&self) -> Vec<RefreshResult> {
        self.with(|state| state.results.clone())
    }

    /// Whether a call with this token would succeed.
    pub(crate) fn accepts(&self, access_token: &str) -> bool {
        let now = self.clock.now();
        self.with(|state| {
            let end = state.access.get(access_token);
            !state.revoked && end.is_some_and(|end| now < *end)
        })
    }

    fn act(&self, asking: Asking<'_>) -> (u16, String) {
        let now = self.clock.now();
        let refused = || (400, r#"{"error": "invalid_grant"}"#.to_owned());
        self.with(|state| {
            if state.mood == Mood::InvalidClient {
                return (401, r#"{"error": "invalid_client"}"#.to_owned());
            }
            if let Asking::Refresh(token) = asking {
                let token = token.expose().to_owned();
                if state.revoked {
                    return refused();
                }
                if token != state.current {
                    let in_grace = state
                        .replaced
                        .get(&token)
                        .is_some_and(|at| now.duration_since(*at) < self.grace);
                    if !in_grace {
                        state.reuses += 1;
                        state.revoked = true;
                        return refused();
                    }
                }
                state.replaced.entry(token).or_insert(now);
            }
            state.tokens += 1;
            let (access, refresh) = (format!("t{}", state.tokens), format!("r{}", state.tokens));
            let end = now.saturating_add(SignedDuration::from_secs(self.lifetime)).unwrap();
            state.access.insert(access.clone(), end);
            state.current = refresh.clone();
            let lifetime = self.lifetime;
            let body = format!(
                r#"{{"access_token": "{access}", "expires_in": {lifetime}, "refresh_token": "{refresh}"}}"#
            );
            (200, body)
        })
    }
}

impl Issuer for Provider {
    type Order = Order;

    async fn ask(
        &self,
        _order: &Order,
        asking: Asking<'_>,
        now: Timestamp,
    ) -> Result<RawAnswer, Unanswered> {
        let mood = self.with(|state| {
            state.requests.push(now);
            state.mood
        });
        self.entrance.pass().await;
        let answer = |(status, body): (u16, String)| RawAnswer {
            status,
            headers: Vec::new(),
            body: body.into_bytes().into(),
        };
        let acted = match mood {
            Mood::Down => return Err(Unanswered::NotSent("connection refused".to_owned())),
            Mood::Status(status) => (status, String::new()),
            Mood::Lost => {
                self.act(asking);
                return Err(Unanswered::Unknown("connection reset".to_owned()));
            }
            Mood::Healthy | Mood::InvalidClient => self.act(asking),
            Mood::Lengthy => {
                let (status, body) = self.act(asking);
                (status, " ".repeat(LENGTHY) + &body)
            }
            Mood::LengthyPage => (200, format!("<html>{}", " ".repeat(LENGTHY))),
        };
        self.exit.pass().await;
        Ok(answer(acted))
    }

    fn settled(&self, _order: &Order, result: RefreshResult) {
        self.with(|state| state.results.push(result));
    }
}
