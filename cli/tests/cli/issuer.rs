//! An HTTPS server that issues tokens, and answers only calls with one of them
//! that has not ended.

use std::collections::{BTreeMap, HashMap};
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use rcgen::{CertificateParams, KeyPair, SanType};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

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
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let ip = SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST));
        params.subject_alt_names.push(ip);
        let certificate = params.self_signed(&key).unwrap();
        let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private)
            .unwrap();
        let tls = Arc::new(tls);
        let state = State {
            life: Duration::from_secs(life),
            refresh_token: FIRST_REFRESH_TOKEN.to_owned(),
            ..State::default()
        };
        let state = Arc::new((Mutex::new(state), Condvar::new()));
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (tls, state) = (tls.clone(), shared.clone());
                std::thread::spawn(move || converse(stream, tls, &state, address.port()));
            }
        });
        Self {
            address,
            pem: certificate.pem(),
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

/// Answers requests until the caller goes.
fn converse(stream: TcpStream, tls: Arc<ServerConfig>, state: &(Mutex<State>, Condvar), port: u16) {
    let mut stream = StreamOwned::new(ServerConnection::new(tls).unwrap(), stream);
    let mut head = Vec::new();
    let mut byte = [0];
    while let Ok(1) = stream.read(&mut byte) {
        head.push(byte[0]);
        if !head.ends_with(b"\r\n\r\n") {
            continue;
        }
        let text = String::from_utf8_lossy(&head).into_owned();
        head.clear();
        let header = |name: &str| {
            let mut lines = text.lines().filter_map(|line| line.split_once(": "));
            let found = lines.find(|(field, _)| field.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.to_owned())
        };
        let length = header("content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        if stream.read_exact(&mut body).is_err() {
            return;
        }
        let body = String::from_utf8(body).unwrap();
        let target = text.split(' ').nth(1).unwrap_or_default();
        let authorization = header("authorization").unwrap_or_default();
        let (status, answer) = {
            let mut state = state.0.lock().unwrap();
            match target {
                "/token" | "/signin" => state.issue(target, &authorization, &body, port),
                _ => {
                    let session = header("x-session");
                    state.call(target, session.as_deref(), &authorization)
                }
            }
        };
        state.1.notify_all();
        let length = answer.len();
        let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n{answer}");
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

impl State {
    fn issue(&mut self, target: &str, authorization: &str, body: &str, port: u16) -> (u16, String) {
        self.asked.push(body.to_owned());
        if self.down {
            return (503, "out of order".to_owned());
        }
        let token = format!("access-{}-5d08fe", self.asked.len());
        let end = Instant::now() + self.life;
        let life = self.life.as_secs();
        let refused = |code: &str| (400, format!("{{\"error\":\"{code}\"}}"));
        if target == "/signin" {
            let expected = format!("{{\"user\":\"ann\",\"password\":\"{PASSWORD}\"}}");
            if body != expected {
                return (401, "{}".to_owned());
            }
            self.tokens.insert(token.clone(), end);
            let host = format!("https://localhost:{port}/tenant-7");
            return (
                200,
                format!(
                    "{{\"data\":{{\"token\":\"{token}\",\"ttl\":{life},\"host\":\"{host}\"}}}}"
                ),
            );
        }
        if authorization != BASIC {
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

    fn call(&mut self, target: &str, session: Option<&str>, authorization: &str) -> (u16, String) {
        let token = session.or_else(|| authorization.strip_prefix("Bearer "));
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
