//! Health and metrics, for the kubelet and Prometheus. Nothing here proxies,
//! and nothing shows what a bundle holds.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::task::JoinSet;

use crate::metrics::Metrics;

/// Connections served at one time. Two clients are expected; the port is open
/// to the cluster's network.
const MOST_CONNECTIONS: usize = 32;

/// The longest life of a connection, which answers one request: the port is open
/// to the cluster's network, and whoever holds a place must not keep the kubelet
/// out.
const LIFE: Duration = Duration::from_secs(5);

/// The admin port cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} for health and metrics: {source}")]
pub struct BindError {
    address: SocketAddr,
    source: io::Error,
}

/// A listener that does not answer yet.
#[derive(Debug)]
pub struct Admin {
    listener: TcpListener,
}

/// Binds the address; port 0 lets the system choose. `[::]` takes IPv4 as
/// well, and becomes `0.0.0.0` on a machine without IPv6.
///
/// # Errors
/// [`BindError`] when the address is in use or not allowed.
pub fn bind(address: SocketAddr) -> Result<Admin, BindError> {
    let listener = TcpListener::bind(address).or_else(|error| {
        let any = address.is_ipv6() && address.ip().is_unspecified();
        if any && error.kind() != io::ErrorKind::AddrInUse {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port()))
        } else {
            Err(error)
        }
    });
    let nonblocking = |listener: TcpListener| {
        listener.set_nonblocking(true)?;
        Ok(Admin { listener })
    };
    listener
        .and_then(nonblocking)
        .map_err(|source| BindError { address, source })
}

impl Admin {
    /// The address, with the port that the system chose.
    ///
    /// # Errors
    /// The system's, if it does not know.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until `shutdown` is ready. `readiness` gives the reason why
    /// requests cannot be served yet.
    ///
    /// # Errors
    /// The system's, when the listener cannot be used.
    pub async fn run(
        self,
        metrics: Arc<Metrics>,
        readiness: impl Fn() -> Result<(), String> + Clone + Send + 'static,
        shutdown: impl Future<Output = ()>,
    ) -> io::Result<()> {
        let listener = tokio::net::TcpListener::from_std(self.listener)?;
        let mut connections = JoinSet::new();
        tokio::pin!(shutdown);
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept(), if connections.len() < MOST_CONNECTIONS => accepted,
                Some(_) = connections.join_next() => continue,
                () = &mut shutdown => return Ok(()),
            };
            let Ok((stream, _)) = accepted else {
                // Out of descriptors, or a client that is gone already: what
                // is served ends, and then there is room again.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let metrics = Arc::clone(&metrics);
            let readiness = readiness.clone();
            let service = service_fn(move |request| {
                let response = respond(&request, &metrics, &readiness);
                async move { Ok::<_, Infallible>(response) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(LIFE)
                .keep_alive(false)
                .max_buf_size(16 << 10)
                .serve_connection(TokioIo::new(stream), service);
            connections.spawn(tokio::time::timeout(LIFE, connection));
        }
    }
}

fn respond(
    request: &Request<Incoming>,
    metrics: &Metrics,
    readiness: impl Fn() -> Result<(), String>,
) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
        let allowed = HeaderValue::from_static("GET, HEAD");
        response.headers_mut().insert(ALLOW, allowed);
        return response;
    }
    match request.uri().path() {
        "/livez" => text(StatusCode::OK, "ok\n"),
        "/readyz" => match readiness() {
            Ok(()) => text(StatusCode::OK, "ok\n"),
            Err(reason) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
        },
        "/metrics" => {
            let mut response = text(StatusCode::OK, metrics.render());
            let exposition = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
            response.headers_mut().insert(CONTENT_TYPE, exposition);
            response
        }
        _ => text(
            StatusCode::NOT_FOUND,
            "there are /livez, /readyz and /metrics\n",
        ),
    }
}

fn text(status: StatusCode, content: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(content.into()));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;
    use crate::metrics::Source;

    /// What a server on any port answers to a GET or another method.
    async fn answer(address: SocketAddr, request_line: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!("{request_line} HTTP/1.1\r\nHost: pod\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    fn bound() -> (Admin, SocketAddr) {
        let admin = bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let address = admin.local_addr().unwrap();
        (admin, address)
    }

    #[tokio::test]
    async fn readiness_is_the_callers_and_liveness_is_not() {
        let (admin, address) = bound();
        let ready = Arc::new(AtomicBool::new(false));
        let readiness = {
            let ready = Arc::clone(&ready);
            move || match ready.load(Ordering::Relaxed) {
                true => Ok(()),
                false => Err("waiting for something".to_owned()),
            }
        };
        let calls = async {
            let early = answer(address, "GET /readyz").await;
            assert!(early.starts_with("HTTP/1.1 503 "), "{early}");
            assert!(early.ends_with("waiting for something\n"), "{early}");
            let live = answer(address, "GET /livez").await;
            assert!(live.starts_with("HTTP/1.1 200 "), "{live}");
            ready.store(true, Ordering::Relaxed);
            let late = answer(address, "GET /readyz").await;
            assert!(late.starts_with("HTTP/1.1 200 "), "{late}");
        };
        admin.run(Arc::default(), readiness, calls).await.unwrap();
    }

    #[tokio::test]
    async fn metrics_are_in_the_exposition_format() {
        let (admin, address) = bound();
        let metrics = Arc::<Metrics>::default();
        metrics
            .unrouted()
            .request("GET", 404, Source::Sidecar, Duration::ZERO);
        let calls = async {
            let text = answer(address, "GET /metrics").await.to_lowercase();
            assert!(
                text.contains("content-type: text/plain; version=0.0.4"),
                "{text}"
            );
            assert!(text.contains("\ncredence_requests_total{"), "{text}");
        };
        let ready = || Ok(());
        admin.run(metrics, ready, calls).await.unwrap();
    }

    #[tokio::test]
    async fn nothing_else_is_there() {
        let (admin, address) = bound();
        let calls = async {
            for (request, status) in [
                ("GET /", "404"),
                ("GET /openai/models", "404"),
                ("GET /config_dump", "404"),
                ("POST /livez", "405"),
                ("HEAD /livez", "200"),
            ] {
                let answer = answer(address, request).await;
                assert!(
                    answer.starts_with(&format!("HTTP/1.1 {status} ")),
                    "{request}: {answer}"
                );
            }
        };
        let ready = || Ok(());
        admin.run(Arc::default(), ready, calls).await.unwrap();
    }

    #[test]
    fn a_port_that_is_taken_is_named() {
        let (_held, address) = bound();
        let error = bind(address).unwrap_err().to_string();
        assert!(error.contains(&address.to_string()), "{error}");
    }
}
