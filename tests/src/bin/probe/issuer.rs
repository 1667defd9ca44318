//! An OAuth 2.0 token endpoint and the API that wants its tokens. It gives
//! tokens for a client's credentials, and for refresh tokens, which it replaces
//! each time; who shows a replaced one again loses everything (RFC 9700 §4.14);
//! and for tokens of the cluster's ServiceAccounts that are its clients.
//! It counts, and does as it is told over plain HTTP: answers late, or not at
//! all.

mod book;
mod subject;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

use anyhow::{Context, Result};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use clap::Args;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::watch;

use self::book::Book;
use crate::serving;

/// `probe issuer`.
#[derive(Args)]
pub(crate) struct Issuer {
    /// Where to serve HTTPS: tokens at /token, the API everywhere else.
    #[arg(long, default_value = "0.0.0.0:8443")]
    listen: SocketAddr,
    /// Where to be told what to do, over plain HTTP: GET / shows what was
    /// counted; POST /answer, /wait, /hold, /fail and /revoke say how to go on.
    #[arg(long, default_value = "0.0.0.0:8080")]
    control: SocketAddr,
    /// PEM file with the certificate chain.
    #[arg(long)]
    certificate: PathBuf,
    /// PEM file with its private key.
    #[arg(long)]
    key: PathBuf,
    /// JSON file: the clients, and how tokens begin.
    #[arg(long)]
    settings: PathBuf,
}

/// How the token endpoint behaves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mood {
    /// As it should.
    Answering,
    /// It does nothing yet; who breaks off meanwhile has asked for nothing.
    Waiting,
    /// It does what it is asked for, and keeps its answer.
    Holding,
    /// It does nothing and answers 503.
    Failing,
}

struct Desk {
    book: Mutex<Book>,
    mood: watch::Sender<Mood>,
}

impl Issuer {
    pub(crate) async fn run(&self) -> Result<()> {
        let settings = std::fs::read(&self.settings)
            .with_context(|| format!("reading {}", self.settings.display()))?;
        let desk = Arc::new(Desk {
            book: Mutex::new(Book::new(serde_json::from_slice(&settings)?)),
            mood: watch::Sender::new(Mood::Answering),
        });
        let acceptor = serving::tls(&self.certificate, &self.key)?;
        let calls = TcpListener::bind(self.listen).await?;
        let control = TcpListener::bind(self.control).await?;
        loop {
            tokio::select! {
                accepted = calls.accept() => {
                    let (stream, _) = accepted?;
                    let (acceptor, desk) = (acceptor.clone(), desk.clone());
                    tokio::spawn(async move {
                        // Who breaks off the handshake asked for nothing.
                        if let Ok(stream) = acceptor.accept(stream).await {
                            serve(stream, |request| desk.clone().answer(request)).await;
                        }
                    });
                }
                accepted = control.accept() => {
                    let (stream, _) = accepted?;
                    let desk = desk.clone();
                    tokio::spawn(async move {
                        serve(stream, |request| std::future::ready(desk.told(&request))).await;
                    });
                }
            }
        }
    }
}

async fn serve<F: Future<Output = Response<Full<Bytes>>>>(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    answer: impl Fn(Request<Incoming>) -> F,
) {
    let service = service_fn(|request| {
        let answer = answer(request);
        async { Ok::<_, Infallible>(answer.await) }
    });
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

impl Desk {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map(|body| body.to_bytes());
        if head.uri.path() != "/token" {
            return api(&mut self.book(), &head);
        }
        let mut mood = self.mood.subscribe();
        // The sender is ours, so that it does not close.
        let _ = mood.wait_for(|mood| *mood != Mood::Waiting).await;
        if *mood.borrow() == Mood::Failing {
            let busy = json!({"error": "temporarily_unavailable"});
            return serving::json(StatusCode::SERVICE_UNAVAILABLE, &busy);
        }
        let (answer, held) = {
            let mut book = self.book();
            let answer = token(&mut book, &head, &body.unwrap_or_default());
            (answer, *self.mood.borrow() == Mood::Holding)
        };
        if held {
            let _ = mood.wait_for(|mood| *mood != Mood::Holding).await;
        }
        answer
    }

    /// What is told holds for whatever is not in the counters of the answer.
    fn told(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let mut book = self.book();
        let mood = match (request.method(), request.uri().path()) {
            (&Method::POST, "/answer") => Some(Mood::Answering),
            (&Method::POST, "/wait") => Some(Mood::Waiting),
            (&Method::POST, "/hold") => Some(Mood::Holding),
            (&Method::POST, "/fail") => Some(Mood::Failing),
            (&Method::POST, "/revoke") => {
                book.revoke();
                None
            }
            (_, "/") => None,
            _ => return serving::json(StatusCode::NOT_FOUND, &json!({})),
        };
        if let Some(mood) = mood {
            self.mood.send_replace(mood);
        }
        serving::json(StatusCode::OK, book.counters())
    }
}

/// RFC 6749 §4.4 and §6, where the client shows its credentials by HTTP Basic,
/// and RFC 8693 §2, where the token that it exchanges says which client it is.
fn token(book: &mut Book, head: &Parts, body: &[u8]) -> Response<Full<Bytes>> {
    let form: Vec<_> = serving::pairs(&String::from_utf8_lossy(body)).collect();
    let field = |name: &str| {
        let field = form.iter().find(|(other, _)| other == name);
        field.map_or("", |(_, value)| value)
    };
    let (id, secret) = basic(head).unwrap_or_default();
    let granted = match field("grant_type") {
        "client_credentials" => book.grant(&id, &secret),
        "refresh_token" => book.refresh(&id, &secret, field("refresh_token"), Instant::now()),
        "urn:ietf:params:oauth:grant-type:token-exchange" => {
            let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
            let client = subject::of(field("subject_token"), now.as_secs());
            book.exchange(&client.unwrap_or_default())
        }
        _ => Err("unsupported_grant_type"),
    };
    match granted {
        Ok(granted) => serving::json(StatusCode::OK, &granted),
        Err("invalid_client") => serving::json(
            StatusCode::UNAUTHORIZED,
            &json!({"error": "invalid_client"}),
        ),
        Err(code) => serving::json(StatusCode::BAD_REQUEST, &json!({"error": code})),
    }
}

/// Whoever shows a token is told as whom it knows him.
fn api(book: &mut Book, head: &Parts) -> Response<Full<Bytes>> {
    let shown = head.headers.get(AUTHORIZATION);
    let token = shown.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    match book.identity(token.unwrap_or_default(), Instant::now()) {
        Some(identity) => serving::json(StatusCode::OK, &json!({"answer": identity})),
        None => serving::json(StatusCode::UNAUTHORIZED, &json!({"error": "invalid_token"})),
    }
}

/// RFC 6749 §2.3.1: both are written as in a form.
fn basic(head: &Parts) -> Option<(String, String)> {
    let shown = head.headers.get(AUTHORIZATION)?.to_str().ok()?;
    let pair = BASE64_STANDARD.decode(shown.strip_prefix("Basic ")?).ok()?;
    let pair = String::from_utf8(pair).ok()?.replacen(':', "=", 1);
    serving::pairs(&pair).next()
}
