//! What a thousand tokens of a minute cost, in a process of its own: processor
//! time and memory are those of all that runs in it.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

use credence_broker::store::MemoryStore;
use credence_broker::{Clock, Exchange, Keeper, PrivateNetworks, State, TokenKey, Tools};
use credence_core::collection::{FieldFormat, FieldValue, RequestMethod};
use credence_core::template::LateText;
use credence_core::token::{Content, Order, Renewal, Signers, Terms, TokenRequest};
use credence_core::{Environment, Secret};
use credence_net::Egress;
use jiff::Timestamp;
use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

const TOKENS: u32 = 1000;

/// In Unix time, and so the generation of every first token.
const START: u64 = 1_767_225_600;

/// Renewals of each while it is measured.
const ROUNDS: u32 = 2;

/// Tokens of a minute are renewed every half minute, and a little earlier.
const RENEWALS_A_SECOND: f64 = 36.0;

/// An endpoint behind TLS; a port, the root to trust, and the count of tokens.
async fn endpoint(serving: &mut JoinSet<()>) -> (u16, String, Arc<AtomicU32>) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let tokens = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&tokens);
    serving.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, counted) = (acceptor.clone(), Arc::clone(&counted));
            connections.spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    return;
                };
                let mut request = vec![0; 4096];
                let _ = stream.read(&mut request).await;
                let number = counted.fetch_add(1, Ordering::SeqCst);
                let body = format!(r#"{{"access_token": "t{number}", "expires_in": 60}}"#);
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
                let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
                let _ = stream.shutdown().await;
            });
            while connections.try_join_next().is_some() {}
        }
    });
    (port, certificate.pem(), tokens)
}

fn order(port: u16, trust: &str) -> Order {
    let known = |text: &str| LateText::known(&Secret::new(text));
    let grant = FieldValue::Text(known("client_credentials"));
    Order {
        method: "oauth2ClientCredentials",
        terms: Terms::new([1; 32], [2; 32], [2; 32], Renewal::Anew),
        steps: Vec::new(),
        request: Some(TokenRequest {
            url: known(&format!("https://localhost:{port}/token")),
            url_allow: Vec::new(),
            method: RequestMethod::Post,
            headers: vec![],
            content: Content::Fields(FieldFormat::Form, vec![("grant_type".to_owned(), grant)]),
        }),
        signers: Signers::default(),
        subject: None,
        refresh: None,
        trust: Some(trust.into()),
        client_certificate: None,
        allow_private_networks: true,
        allow_insecure_http: false,
    }
}

/// Of this process, in user and kernel mode (proc_pid_stat(5): hundredths of a
/// second).
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let times = fields.split_whitespace().skip(11).take(2);
    let ticks: u64 = times.map(|time| time.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}

fn peak_memory_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let number = line.unwrap().split_whitespace().nth(1).unwrap();
    number.parse().unwrap()
}

/// Until each has obtained so many tokens.
async fn all_have_obtained(keepers: &[Keeper<Exchange>], tokens: u64) {
    let generation = START - 1 + tokens;
    for keeper in keepers {
        let mut outcome = keeper.outcome();
        let newest = outcome.wait_for(|outcome| match &outcome.state {
            State::Token(token) => token.generation == generation,
            State::Unavailable { .. } | State::ReauthorizationRequired => false,
        });
        let limit = Duration::from_secs(60);
        let reached = timeout(limit, newest).await.map(|seen| drop(seen.unwrap()));
        assert!(reached.is_ok(), "{keeper:?}");
    }
}

/// The endpoint's half of every handshake is in the figures.
#[tokio::test]
async fn a_thousand_tokens_of_a_minute_take_a_fifth_of_a_core_and_a_hundred_megabytes_at_most() {
    let mut serving = JoinSet::new();
    let (port, trust, issued) = endpoint(&mut serving).await;
    let start = i64::try_from(START).unwrap();
    let second = Arc::new(AtomicI64::new(0));
    let shown = Arc::clone(&second);
    let clock = Clock::new(move || {
        let second = shown.load(Ordering::SeqCst);
        Timestamp::from_second(start + second).unwrap()
    });
    let exchange = Exchange::new(Egress::default(), PrivateNetworks::AsOrdered);
    let tools = Arc::new(Tools::new(MemoryStore::default(), exchange, clock, "a"));
    let order = Arc::new(order(port, &trust));
    let keepers: Vec<_> = (0..TOKENS)
        .map(|number| {
            let key = TokenKey::new(&number.to_string(), Environment::Live);
            Keeper::start(Arc::clone(&tools), key, Arc::clone(&order), number.into())
        })
        .collect();
    all_have_obtained(&keepers, 1).await;

    let before = processor_time();
    for (round, tokens) in (1..=ROUNDS).zip(2..) {
        second.store(59 * i64::from(round), Ordering::SeqCst);
        // Otherwise nobody would look at a clock that was moved.
        keepers.iter().for_each(Keeper::reload);
        all_have_obtained(&keepers, tokens).await;
    }
    let spent = (processor_time() - before).as_secs_f64();
    let renewals = f64::from(TOKENS) * ROUNDS as f64;
    assert_eq!(
        issued.load(Ordering::SeqCst) as f64,
        renewals + f64::from(TOKENS)
    );

    let share = spent / renewals * RENEWALS_A_SECOND;
    let memory = peak_memory_kib();
    eprintln!("{:.1} % of a core, {memory} KiB", share * 100.0);
    assert!(share < 0.2, "{:.1} % of a core", share * 100.0);
    assert!(memory < 100 * 1000, "{memory} KiB");
}
