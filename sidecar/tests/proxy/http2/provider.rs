//! A provider that speaks HTTP/2.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use h2::server::{Builder, SendResponse};
use h2::{RecvStream, SendStream};
use http::request::Parts;
use http::{HeaderMap, Response};

use super::caller::read;
use crate::provider::Provider;

/// One request.
pub(crate) struct Call {
    pub(crate) parts: Parts,
    pub(crate) body: RecvStream,
    pub(crate) respond: SendResponse<Bytes>,
    /// Which of the connections it came on, the first one being 0.
    pub(crate) connection: usize,
}

impl Call {
    pub(crate) fn path(&self) -> &str {
        self.parts.uri.path()
    }

    /// Begins the answer.
    pub(crate) fn begin(&mut self, response: Response<()>) -> SendStream<Bytes> {
        self.respond.send_response(response, false).unwrap()
    }

    /// Answers with this text.
    pub(crate) fn answer(&mut self, text: &'static str) {
        let mut body = self.begin(Response::new(()));
        body.send_data(Bytes::from_static(text.as_bytes()), true)
            .unwrap();
    }

    /// Reads the body and its trailers.
    pub(crate) async fn whole(&mut self) -> Result<(Vec<u8>, HeaderMap), h2::Error> {
        read(&mut self.body).await
    }
}

/// Starts one that serves each request by `script`.
pub(crate) async fn start<F, S>(script: F) -> Provider
where
    F: Fn(Call) -> S + Send + Sync + 'static,
    S: Future<Output = ()> + Send + 'static,
{
    start_with(Builder::new(), script).await
}

/// Starts one with these settings.
pub(crate) async fn start_with<F, S>(settings: Builder, script: F) -> Provider
where
    F: Fn(Call) -> S + Send + Sync + 'static,
    S: Future<Output = ()> + Send + 'static,
{
    let script = Arc::new(script);
    let connections = AtomicUsize::new(0);
    Provider::accept(&[b"h2", b"http/1.1"], move |stream, heads| {
        let connection = connections.fetch_add(1, Ordering::SeqCst);
        let (settings, script) = (settings.clone(), Arc::clone(&script));
        async move {
            let mut serving = settings.handshake(stream).await.unwrap();
            while let Some(Ok((request, respond))) = serving.accept().await {
                let (parts, body) = request.into_parts();
                heads.lock().unwrap().push(text(&parts));
                tokio::spawn(script(Call {
                    parts,
                    body,
                    respond,
                    connection,
                }));
            }
        }
    })
    .await
}

/// A head in the form of HTTP/1.1.
fn text(parts: &Parts) -> String {
    let mut head = format!("{} {} HTTP/2\r\n", parts.method, parts.uri);
    for (name, value) in &parts.headers {
        let value: String = value.as_bytes().iter().copied().map(char::from).collect();
        head += &format!("{name}: {value}\r\n");
    }
    head
}

/// Answers every request with its own body and trailers, as they come.
pub(crate) async fn echo() -> Provider {
    start(|mut call| async move {
        let mut down = call.begin(Response::new(()));
        while let Some(data) = call.body.data().await {
            let Ok(data) = data else { return };
            let window = call.body.flow_control();
            window.release_capacity(data.len()).unwrap();
            if send(&mut down, data).await.is_none() {
                return;
            }
        }
        match call.body.trailers().await {
            Ok(Some(trailers)) => down.send_trailers(trailers).unwrap(),
            Ok(None) => down.send_data(Bytes::new(), true).unwrap(),
            Err(_) => {}
        }
    })
    .await
}

/// Sends data as the window allows; none when nobody wants it.
pub(crate) async fn send(stream: &mut SendStream<Bytes>, mut data: Bytes) -> Option<()> {
    while !data.is_empty() {
        stream.reserve_capacity(data.len());
        let room = std::future::poll_fn(|cx| stream.poll_capacity(cx)).await?;
        let room = room.ok()?.min(data.len());
        stream.send_data(data.split_to(room), false).ok()?;
    }
    Some(())
}
