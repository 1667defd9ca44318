//! An HTTPS provider that answers nobody without the right key.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::service::service_fn;
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::api::Api;
use super::authority::HOST;
use super::request::Request;

/// A client that does not finish its TLS handshake is let go.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Longer bodies are none of the story's.
const LARGEST: usize = 64 * 1024;

/// The provider's APIs, and what it saw last.
pub(crate) struct Provider {
    listener: TcpListener,
    tls: TlsAcceptor,
    desk: Arc<Desk>,
}

/// What the connections share.
pub(crate) struct Desk {
    apis: Vec<Api>,
    seen: Mutex<Option<String>>,
}

impl Desk {
    /// The APIs.
    pub(crate) fn apis(&self) -> &[Api] {
        &self.apis
    }

    /// The credential, redacted, of the last request; once.
    pub(crate) fn take_seen(&self) -> Option<String> {
        self.lock().take()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(
        &self,
        request: &Request,
        certificate: Option<&CertificateDer<'_>>,
    ) -> Response<Full<Bytes>> {
        let name = request.target.split(['/', '?']).nth(1).unwrap_or_default();
        let Some(api) = self.apis.iter().find(|api| api.name == name) else {
            let message = json!({"error": "there is no such API"});
            return reply(StatusCode::NOT_FOUND, &message);
        };
        let verdict = api.judge(request, certificate);
        *self.lock() = Some(verdict.seen);
        let (member, value) = api.answer;
        match verdict.environment {
            Some(environment) => reply(
                StatusCode::OK,
                &json!({"environment": environment.as_str(), member: value}),
            ),
            None => reply(
                StatusCode::UNAUTHORIZED,
                &json!({"error": "missing or wrong credential"}),
            ),
        }
    }
}

fn reply(status: StatusCode, body: &serde_json::Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(
        CONTENT_TYPE,
        hyper::header::HeaderValue::from_static("application/json"),
    );
    response
}

impl Provider {
    /// Binds a port that the system chooses.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) async fn bind(tls: Arc<ServerConfig>, apis: Vec<Api>) -> io::Result<Self> {
        Ok(Self {
            listener: TcpListener::bind((HOST, 0)).await?,
            tls: TlsAcceptor::from(tls),
            desk: Arc::new(Desk {
                apis,
                seen: Mutex::new(None),
            }),
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the system does not say.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// What it knows and saw.
    pub(crate) fn desk(&self) -> Arc<Desk> {
        self.desk.clone()
    }

    /// Answers until it is dropped, connections included.
    pub(crate) async fn run(self) {
        let mut connections = tokio::task::JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept() => {
                    // A connection that is gone before it was accepted.
                    if let Ok((stream, _)) = accepted {
                        connections.spawn(converse(stream, self.tls.clone(), self.desk.clone()));
                    }
                }
                Some(_) = connections.join_next() => {}
            }
        }
    }
}

/// A connection's failure is its client's to notice.
async fn converse(stream: TcpStream, tls: TlsAcceptor, desk: Arc<Desk>) {
    let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await else {
        return;
    };
    let chain = stream.get_ref().1.peer_certificates();
    let certificate: Option<CertificateDer<'static>> = chain
        .and_then(<[_]>::first)
        .map(|own| own.clone().into_owned());
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let (desk, certificate) = (&desk, certificate.as_ref());
        async move {
            let (head, body) = request.into_parts();
            let body = Limited::new(body, LARGEST).collect().await;
            let body = body.map_err(io::Error::other)?.to_bytes();
            let request = Request {
                method: head.method,
                target: head.uri.to_string(),
                headers: head.headers,
                body: String::from_utf8_lossy(&body).into_owned(),
            };
            Ok::<_, io::Error>(desk.answer(&request, certificate))
        }
    });
    _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}
