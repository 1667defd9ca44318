//! An HTTPS server that answers who shows a key it knows, refuses everybody
//! else, and counts both. At paths that end in `/stream` it answers for ever.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use clap::Args;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Either, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::serving::{self, json};
use crate::ticks;

/// `probe provider`.
#[derive(Args)]
pub(crate) struct Provider {
    /// Where to serve HTTPS.
    #[arg(long, default_value = "0.0.0.0:8443")]
    listen: SocketAddr,
    /// Where to serve the counters, over plain HTTP.
    #[arg(long, default_value = "0.0.0.0:8080")]
    counters: SocketAddr,
    /// PEM file with the certificate chain.
    #[arg(long)]
    certificate: PathBuf,
    /// PEM file with its private key.
    #[arg(long)]
    key: PathBuf,
    /// JSON file: an object from key to what its holder is answered.
    #[arg(long)]
    answers: PathBuf,
}

/// What has been asked so far.
#[derive(Clone, Default, Serialize)]
struct Counters {
    /// All calls.
    calls: u64,
    /// Calls with a key that is known, by answer.
    answered: BTreeMap<String, u64>,
    /// Calls with something that could be a key, none of it known.
    refused: u64,
    /// Calls with nothing of the kind.
    unauthenticated: u64,
}

struct Shop {
    answers: BTreeMap<String, String>,
    counters: Mutex<Counters>,
}

impl Provider {
    pub(crate) async fn run(&self) -> Result<()> {
        let answers = std::fs::read(&self.answers)
            .with_context(|| format!("reading {}", self.answers.display()))?;
        let shop = Arc::new(Shop {
            answers: serde_json::from_slice(&answers)?,
            counters: Mutex::default(),
        });
        let acceptor = serving::tls(&self.certificate, &self.key)?;
        let (calls, counters) = (
            TcpListener::bind(self.listen).await?,
            TcpListener::bind(self.counters).await?,
        );
        println!(
            "{}",
            serde_json::json!({"listening": calls.local_addr()?, "counters": counters.local_addr()?})
        );
        loop {
            tokio::select! {
                accepted = calls.accept() => {
                    let (stream, _) = accepted?;
                    tokio::spawn(serve_calls(acceptor.clone(), stream, shop.clone()));
                }
                accepted = counters.accept() => {
                    let (stream, _) = accepted?;
                    tokio::spawn(serve_counters(stream, shop.clone()));
                }
            }
        }
    }
}

async fn serve_calls(acceptor: TlsAcceptor, stream: TcpStream, shop: Arc<Shop>) {
    // Who breaks off the handshake or the connection made no call.
    let Ok(stream) = acceptor.accept(stream).await else {
        return;
    };
    let service = service_fn(|mut request: Request<Incoming>| {
        let shop = shop.clone();
        async move {
            let ticks = request.uri().path().ends_with("/stream");
            let stream = ticks.then(|| ticks::answer(&mut request));
            let (head, body) = request.into_parts();
            // Read to its end, so that the connection can be used again.
            let _ = body.collect().await;
            let answer = shop.serve(&head);
            Ok::<_, Infallible>(match stream {
                Some(stream) if answer.status() == StatusCode::OK => stream.map(Either::Left),
                Some(_) | None => answer.map(Either::Right),
            })
        }
    });
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
}

async fn serve_counters(stream: TcpStream, shop: Arc<Shop>) {
    let service = service_fn(|_: Request<Incoming>| {
        let counters = shop
            .counters
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        async move { Ok::<_, Infallible>(json(StatusCode::OK, &counters)) }
    });
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

impl Shop {
    fn serve(&self, head: &Parts) -> Response<Full<Bytes>> {
        let shown = keys(head);
        let answer = shown.iter().find_map(|key| self.answers.get(key));
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        counters.calls += 1;
        let Some(answer) = answer else {
            let count = if shown.is_empty() {
                &mut counters.unauthenticated
            } else {
                &mut counters.refused
            };
            *count += 1;
            return json(
                StatusCode::UNAUTHORIZED,
                &serde_json::json!({"error": "no key that I know"}),
            );
        };
        *counters.answered.entry(answer.clone()).or_default() += 1;
        // Names only: the values hold the key.
        let headers: BTreeSet<&str> = head.headers.keys().map(|name| name.as_str()).collect();
        let (method, path) = (head.method.as_str(), head.uri.path());
        json(
            StatusCode::OK,
            &serde_json::json!({"answer": answer, "method": method, "path": path, "headers": headers}),
        )
    }
}

/// Whatever in a request could be a key: the Authorization header (whole,
/// after the scheme, and for Basic decoded), X-Api-Key, every query value.
fn keys(head: &Parts) -> Vec<String> {
    let mut keys = Vec::new();
    for value in head
        .headers
        .get_all(AUTHORIZATION)
        .iter()
        .filter_map(|value| value.to_str().ok())
    {
        keys.push(value.to_owned());
        let Some((scheme, rest)) = value.split_once(' ') else {
            continue;
        };
        keys.push(rest.to_owned());
        if scheme.eq_ignore_ascii_case("basic") {
            keys.extend(
                BASE64_STANDARD
                    .decode(rest)
                    .ok()
                    .and_then(|pair| String::from_utf8(pair).ok()),
            );
        }
    }
    keys.extend(
        head.headers
            .get_all("x-api-key")
            .iter()
            .filter_map(|value| Some(value.to_str().ok()?.to_owned())),
    );
    let query = head.uri.query().unwrap_or_default();
    keys.extend(serving::pairs(query).map(|(_, value)| value));
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shop() -> Shop {
        let answers = [("k-1", "live"), ("me:pass", "basic"), ("a b", "query")];
        let answers = answers
            .map(|(key, answer)| (key.to_owned(), answer.to_owned()))
            .into();
        Shop {
            answers,
            counters: Mutex::default(),
        }
    }

    fn ask(shop: &Shop, uri: &str, header: Option<(&str, &str)>) -> StatusCode {
        let mut request = Request::builder().uri(uri);
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        shop.serve(&request.body(()).expect("a request").into_parts().0)
            .status()
    }

    #[test]
    fn a_known_key_is_answered_wherever_it_stands() {
        let shop = shop();
        assert_eq!(
            ask(&shop, "/", Some(("authorization", "Bearer k-1"))),
            StatusCode::OK
        );
        assert_eq!(
            ask(&shop, "/", Some(("authorization", "Basic bWU6cGFzcw=="))),
            StatusCode::OK
        );
        assert_eq!(ask(&shop, "/", Some(("x-api-key", "k-1"))), StatusCode::OK);
        assert_eq!(ask(&shop, "/x?n=1&key=a%20b", None), StatusCode::OK);
        let counters = shop.counters.lock().expect("no panic").clone();
        assert_eq!((counters.calls, counters.answered["live"]), (4, 2));
    }

    #[test]
    fn an_unknown_key_and_no_key_are_refused_and_counted_apart() {
        let shop = shop();
        assert_eq!(
            ask(&shop, "/", Some(("authorization", "Bearer k-2"))),
            StatusCode::UNAUTHORIZED
        );
        assert_eq!(ask(&shop, "/", None), StatusCode::UNAUTHORIZED);
        let counters = shop.counters.lock().expect("no panic").clone();
        assert_eq!((counters.refused, counters.unauthenticated), (1, 1));
    }
}
