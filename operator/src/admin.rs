//! Health and metrics, in plain HTTP/1.1 for the kubelet and Prometheus.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tracing::debug;

use crate::catalogue::Catalogue;
use crate::metrics::Metrics;
use crate::readiness::{Check, Readiness};
use crate::server::{Body, body, text};

/// Probes and scrapes come from few peers; more than this is not traffic of
/// ours.
const CONNECTIONS: usize = 64;
/// Time for the head of a request, idle time included.
const HEAD: Duration = Duration::from_secs(30);

/// Serves for ever: the last thing that a stopping replica does is to answer
/// its probes.
pub async fn serve(
    listener: TcpListener,
    readiness: Readiness,
    metrics: Arc<Metrics>,
    catalogue: Arc<Catalogue>,
) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS));
    let mut tasks = JoinSet::new();
    loop {
        while tasks.try_join_next().is_some() {}
        // The semaphore is never closed.
        let permit = permits.clone().acquire_owned().await.ok();
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                debug!(%error, "cannot accept");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (readiness, metrics) = (readiness.clone(), metrics.clone());
        let catalogue = catalogue.clone();
        tasks.spawn(async move {
            let service = service_fn(|request: Request<Incoming>| {
                let exposition = || metrics.render(&catalogue.observed(), Timestamp::now());
                let response = answer(request.method(), request.uri(), &readiness, exposition);
                async { Ok::<_, Infallible>(response) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD)
                .serve_connection(TokioIo::new(stream), service);
            if let Err(error) = connection.await {
                debug!(%error, "an admin connection ended early");
            }
            drop(permit);
        });
    }
}

fn answer(
    method: &Method,
    uri: &http::Uri,
    readiness: &Readiness,
    exposition: impl FnOnce() -> String,
) -> Response<Body> {
    if method != Method::GET && method != Method::HEAD {
        return text(StatusCode::METHOD_NOT_ALLOWED, "only GET is answered\n");
    }
    match uri.path() {
        "/livez" => text(StatusCode::OK, "ok\n"),
        "/readyz" => {
            let status = if readiness.is_ready() {
                StatusCode::OK
            } else {
                StatusCode::SERVICE_UNAVAILABLE
            };
            let mut response = text(status, "");
            *response.body_mut() = body(checks(readiness));
            response
        }
        "/metrics" => {
            let mut response = Response::new(body(exposition()));
            response.headers_mut().insert(
                header::CONTENT_TYPE,
                HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"),
            );
            response
        }
        _ => text(
            StatusCode::NOT_FOUND,
            "there are /livez, /readyz and /metrics\n",
        ),
    }
}

/// One line a check, as the API server's own `/readyz?verbose` shows it.
fn checks(readiness: &Readiness) -> String {
    Check::ALL
        .into_iter()
        .map(|check| {
            let mark = if readiness.holds(check) { "+" } else { "-" };
            format!("[{mark}]{}\n", check.as_str())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(method: &Method, path: &str, readiness: &Readiness) -> StatusCode {
        answer(method, &path.parse().unwrap(), readiness, String::new).status()
    }

    #[test]
    fn a_replica_that_is_not_ready_is_still_alive() {
        let readiness = Readiness::default();
        assert_eq!(status(&Method::GET, "/livez", &readiness), StatusCode::OK);
        assert_eq!(
            status(&Method::GET, "/readyz", &readiness),
            StatusCode::SERVICE_UNAVAILABLE
        );
        Check::ALL
            .into_iter()
            .for_each(|check| readiness.set(check, true));
        assert_eq!(
            status(&Method::GET, "/readyz?verbose", &readiness),
            StatusCode::OK
        );
    }

    #[test]
    fn what_fails_is_named() {
        let readiness = Readiness::default();
        readiness.set(Check::Pods, true);
        assert_eq!(
            checks(&readiness),
            "[-]certificates\n[-]ca-bundle\n[-]collections\n[-]namespaces\n[+]pods\n\
             [-]limit-ranges\n[-]resource-quotas\n[+]serving\n"
        );
    }

    #[test]
    fn nothing_else_is_served() {
        let readiness = Readiness::default();
        assert_eq!(
            status(&Method::GET, "/debug", &readiness),
            StatusCode::NOT_FOUND
        );
        assert_eq!(
            status(&Method::POST, "/metrics", &readiness),
            StatusCode::METHOD_NOT_ALLOWED
        );
    }
}
