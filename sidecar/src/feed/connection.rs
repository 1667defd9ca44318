//! One HTTP/2 connection to the feed.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use credence_core::{Secret, names};
use credence_net::{Dialer, Guard, handshake};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde::Serialize;
use tokio::task::JoinSet;

use super::FeedError;
use super::settings::Peer;

/// For each step of getting a stream: dial, TLS, the answer's head.
const STEP: Duration = Duration::from_secs(10);

/// Flow-control window: what an operator can have in flight to one sidecar.
const WINDOW: u32 = 256 << 10;

/// A connection whose peer has proved to be the operator.
pub(super) struct Connection {
    requests: SendRequest<Full<Bytes>>,
    authorization: HeaderValue,
    authority: http::uri::Authority,
    /// Drives the connection; dropping it closes.
    _driver: JoinSet<Result<(), hyper::Error>>,
}

impl Connection {
    pub(super) async fn open(peer: &Peer, token: &Secret) -> Result<Self, FeedError> {
        // The feed is in the cluster, and the address is the installation's own
        // and not a collection's.
        let guard = Guard {
            allow_private: true,
        };
        let dialer = Dialer::new(guard, STEP);
        let stream = dialer.connect(&peer.host, peer.port).await?;
        let stream = handshake(&peer.tls, &peer.server_name, stream, STEP).await?;
        if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
            return Err(FeedError::NotHttp2);
        }
        let (requests, connection) = http2::Builder::new(TokioExecutor::new())
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .max_send_buf_size(64 << 10)
            .handshake(TokioIo::new(stream))
            .await?;
        let mut driver = JoinSet::new();
        driver.spawn(connection);
        let bearer = zeroize::Zeroizing::new(format!("Bearer {}", token.expose()));
        let mut authorization = HeaderValue::try_from(bearer.as_str())
            .map_err(|_| FeedError::EmptyToken(peer.token_file.clone()))?;
        authorization.set_sensitive(true);
        Ok(Self {
            requests,
            authorization,
            authority: peer.authority.clone(),
            _driver: driver,
        })
    }

    /// Asks for the stream and returns its body.
    pub(super) async fn stream(&mut self) -> Result<Incoming, FeedError> {
        let request = self.request(Method::GET, names::FEED_PATH, Bytes::new());
        let response = answer(self.requests.send_request(request)).await?;
        match response.status() {
            StatusCode::OK => Ok(response.into_body()),
            other => Err(FeedError::Refused(other)),
        }
    }

    /// Tells the operator something about the stream. The future does not
    /// borrow the connection, so that events can be read meanwhile.
    pub(super) fn post(
        &self,
        path: &'static str,
        content: Bytes,
    ) -> impl Future<Output = Result<(), FeedError>> + use<> {
        let request = self.request(Method::POST, path, content);
        let response = self.requests.clone().send_request(request);
        async move {
            match answer(response).await?.status() {
                status if status.is_success() => Ok(()),
                status => Err(FeedError::Refused(status)),
            }
        }
    }

    fn request(&self, method: Method, path: &'static str, content: Bytes) -> Request<Full<Bytes>> {
        let mut uri = http::uri::Parts::default();
        uri.scheme = Some(http::uri::Scheme::HTTPS);
        uri.authority = Some(self.authority.clone());
        uri.path_and_query = Some(http::uri::PathAndQuery::from_static(path));
        let mut request = Request::new(Full::new(content));
        if method == Method::POST {
            let json = HeaderValue::from_static("application/json");
            request.headers_mut().insert(CONTENT_TYPE, json);
        }
        *request.method_mut() = method;
        // All three parts are there, so this is a URI.
        *request.uri_mut() = Uri::from_parts(uri).unwrap_or_default();
        request
            .headers_mut()
            .insert(AUTHORIZATION, self.authorization.clone());
        request
    }
}

/// What is said to the operator: strings, numbers and maps of strings, so that
/// there is nothing to fail on.
pub(super) fn encoded(content: &impl Serialize) -> Bytes {
    serde_json::to_vec(content).unwrap_or_default().into()
}

async fn answer(
    response: impl Future<Output = Result<Response<Incoming>, hyper::Error>>,
) -> Result<Response<Incoming>, FeedError> {
    match tokio::time::timeout(STEP, response).await {
        Ok(response) => Ok(response?),
        Err(_) => Err(FeedError::NoAnswer(STEP)),
    }
}
