//! An issuer of tokens, and an API that answers only calls with one of them that
//! has not ended.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use crate::https::{Https, Request};

/// Of the client `app`, in `Authorization`.
pub(crate) const CLIENT_SECRET: &str = "cl1ent-S3cret-91af";
/// `app` and the secret.
const BASIC: &str = "Basic YXBwOmNsMWVudC1TM2NyZXQtOTFhZg==";
pub(crate) const PASSWORD: &str = "user-Pa55word-02cd";
/// What somebody has obtained in a browser.
pub(crate) const FIRST_REFRESH_TOKEN: &str = "refresh-0-b7e1c2";

/// Far above what anything here takes; reached only by what hangs.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Default)]
struct State {
    life: Duration,
    down: bool,
    /// The bodies of token requests.
    asked: Vec<String>,
    /// Access tokens and their ends.
    tokens: HashMap<String, Instant>,
    refresh_token: String,
    reuses: usize,
    strangers: usize,
    /// Calls with a token that had ended.
    late: usize,
}

pub(crate) struct Issuer {
    pub(crate) address: SocketAddr,
    /// Its own certificate, which is its own authority.
    pub(crate) pem: String,
    state: Arc<(Mutex<State>, Condvar)>,
}

impl Issuer {
    /// Serves until the test's process ends. Tokens hold for so many seconds.
    pub(crate) fn start(life: u64) -> Self {
        let state = State {
            life: Duration::from_secs(life),
            refresh_token: FIRST_REFRESH_TOKEN.to_owned(),
            ..State::default()
        };
        let state = Arc::new((Mutex::new(state), Condvar::new()));
        let shared = state.clone();
        let Https { address, pem } = Https::start(move |request| {
            let answer = shared.0.lock().unwrap().answer(request);
            shared.1.notify_all();
            answer
        });
        Self {
            address,
            pem,
            state,
        }
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.0.lock().unwrap())
    }

    /// From now on the token endpoint answers 503, or no longer.
    pub(crate) fn set_down(&self, down: bool) {
        self.with(|state| state.down = down);
    }

    /// Every token that was given so far is refused.
    pub(crate) fn revoke(&self) {
        self.with(|state| state.tokens.clear());
    }

    /// The bodies of all token requests.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.with(|state| state.asked.clone())
    }

    /// Waits for so many token requests.
    pub(crate) fn wait_for_requests(&self, count: usize) {
        let state = self.state.0.lock().unwrap();
        let missing = |state: &mut State| state.asked.len() < count;
        let waited = (self.state.1).wait_timeout_while(state, PATIENCE, missing);
        assert!(!waited.unwrap().1.timed_out(), "never {count} requests");
    }

    /// How often a refresh token came that had been replaced.
    pub(crate) fn reuses(&self) -> usize {
        self.with(|state| state.reuses)
    }

    /// How often somebody asked who is not the client.
    pub(crate) fn strangers(&self) -> usize {
        self.with(|state| state.strangers)
    }

    /// How many calls came with a token that had ended.
    pub(crate) fn late_calls(&self) -> usize {
        self.with(|state| state.late)
    }

    /// Every secret that it has given or knows.
    pub(crate) fn secrets(&self) -> Vec<String> {
        let known = [CLIENT_SECRET, PASSWORD, FIRST_REFRESH_TOKEN].map(str::to_owned);
        self.with(|state| {
            let given = state.tokens.keys().cloned();
            let given = given.chain([state.refresh_token.clone()]);
            known.into_iter().chain(given).collect()
        })
    }
}

impl State {
    fn answer(&mut self, request: &Request) -> (u16, String) {
        match request.target() {
            "/token" | "/signin" => self.issue(request),
            _ => self.call(request),
        }
    }

    fn issue(&mut self, request: &Request) -> (u16, String) {
        let body = &request.body;
        self.asked.push(body.clone());
        if self.down {
            return (503, "out of order".to_owned());
        }
        let token = format!("access-{}-5d08fe", self.asked.len());
        let end = Instant::now() + self.life;
        let life = self.life.as_secs();
        let refused = |code: &str| (400, format!("{{\"error\":\"{code}\"}}"));
        if request.target() == "/signin" {
            let expected = format!("{{\"user\":\"ann\",\"password\":\"{PASSWORD}\"}}");
            if *body != expected {
                return (401, "{}".to_owned());
            }
            self.tokens.insert(token.clone(), end);
            let host = format!("https://localhost:{}/tenant-7", request.port);
            return (
                200,
                format!(
                    "{{\"data\":{{\"token\":\"{token}\",\"ttl\":{life},\"host\":\"{host}\"}}}}"
                ),
            );
        }
        if request.header("authorization") != Some(BASIC) {
            self.strangers += 1;
            return refused("invalid_client");
        }
        let fields: BTreeMap<&str, &str> = body
            .split('&')
            .filter_map(|field| field.split_once('='))
            .collect();
        let mut refresh = String::new();
        match fields.get("grant_type").copied() {
            Some("client_credentials") => {}
            Some("password") if fields.get("password") == Some(&PASSWORD) => {}
            Some("refresh_token") => {
                if fields.get("refresh_token") != Some(&self.refresh_token.as_str()) {
                    self.reuses += 1;
                    return refused("invalid_grant");
                }
                self.refresh_token = format!("refresh-{}-b7e1c2", self.asked.len());
                refresh = format!(",\"refresh_token\":\"{}\"", self.refresh_token);
            }
            _ => return refused("invalid_grant"),
        }
        self.tokens.insert(token.clone(), end);
        let answer = format!(
            "{{\"access_token\":\"{token}\",\"token_type\":\"Bearer\",\"expires_in\":{life}{refresh}}}"
        );
        (200, answer)
    }

    fn call(&mut self, request: &Request) -> (u16, String) {
        let bearer = || request.header("authorization")?.strip_prefix("Bearer ");
        let token = request.header("x-session").or_else(bearer);
        let target = request.target();
        match token.and_then(|token| self.tokens.get(token)) {
            Some(end) if *end > Instant::now() => (200, format!("{target} {}", token.unwrap())),
            Some(_) => {
                self.late += 1;
                (401, "late".to_owned())
            }
            None => (401, "unknown".to_owned()),
        }
    }
}
