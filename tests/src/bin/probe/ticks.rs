//! Answers that go on until somebody ends them.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, UPGRADE};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Channel;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt as _;

/// Between two signs of life.
const INTERVAL: Duration = Duration::from_millis(100);

/// As an event stream has them.
const TICK: &[u8] = b"data: tick\n\n";

/// Changes the connection's protocol to whatever is asked for, as a WebSocket
/// does, or else streams a body.
pub(crate) fn answer<B>(request: &mut Request<B>) -> Response<Channel<Bytes>> {
    let (mut sender, body) = Channel::new(1);
    let mut response = Response::new(body);
    let Some(protocol) = request.headers().get(UPGRADE).cloned() else {
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        tokio::spawn(async move {
            while sender.send_data(Bytes::from_static(TICK)).await.is_ok() {
                tokio::time::sleep(INTERVAL).await;
            }
        });
        return response;
    };
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, protocol);
    let upgraded = hyper::upgrade::on(request);
    tokio::spawn(async move {
        // Whoever asked may have gone before the answer.
        let Ok(upgraded) = upgraded.await else {
            return;
        };
        let mut stream = TokioIo::new(upgraded);
        while stream.write_all(TICK).await.is_ok() && stream.flush().await.is_ok() {
            tokio::time::sleep(INTERVAL).await;
        }
    });
    response
}
