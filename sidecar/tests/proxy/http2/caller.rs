//! A caller that speaks HTTP/2.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Builder, ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request, Response};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// Longer than anything that is waited for here, so that a hang is a failure.
const PATIENCE: Duration = Duration::from_secs(20);

/// One connection to the proxy.
pub(crate) struct Caller {
    pub(crate) send: SendRequest<Bytes>,
    /// Ends with the connection.
    pub(crate) connection: JoinHandle<Result<(), h2::Error>>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) head: Response<()>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: HeaderMap,
}

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        self.head.status().as_u16()
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        Some(self.head.headers().get(name)?.to_str().unwrap())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The slug, when the answer is one of the proxy's own and whole.
    pub(crate) fn slug(&self) -> Option<&str> {
        let slug = self.field("credence-error")?;
        assert_eq!(self.field("content-type"), Some("application/problem+json"));
        Some(slug)
    }
}

impl Caller {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (send, connection) = Builder::new()
            // h2 takes many small frames that wait for an attack when it is small.
            .initial_connection_window_size(1024 * 1024)
            .handshake(stream)
            .await
            .unwrap();
        Self {
            send,
            connection: tokio::spawn(connection),
        }
    }

    /// Begins a call whose body is still to come.
    pub(crate) async fn begin(
        &mut self,
        request: Request<()>,
    ) -> (ResponseFuture, SendStream<Bytes>) {
        self.send.clone().ready().await.unwrap();
        self.send.send_request(request, false).unwrap()
    }

    /// Calls without a body.
    pub(crate) async fn call(&mut self, request: Request<()>) -> Result<Answer, h2::Error> {
        let (response, _) = self.send.send_request(request, true)?;
        answer(response).await
    }

    pub(crate) async fn get(&mut self, target: &str) -> Answer {
        self.call(request("GET", target)).await.unwrap()
    }

    /// Calls with this body.
    pub(crate) async fn post(
        &mut self,
        request: Request<()>,
        body: &'static str,
    ) -> Result<Answer, h2::Error> {
        let (response, mut stream) = self.begin(request).await;
        // Whoever refuses a call does not wait for its body.
        let _ = stream.send_data(Bytes::from_static(body.as_bytes()), true);
        answer(response).await
    }
}

/// A request to the proxy.
pub(crate) fn request(method: &str, target: &str) -> Request<()> {
    Request::builder()
        .method(method)
        .uri(format!("http://localhost{target}"))
        .body(())
        .unwrap()
}

/// The same with these fields.
pub(crate) fn with(mut request: Request<()>, fields: &[(&'static str, &str)]) -> Request<()> {
    for (name, value) in fields {
        request.headers_mut().append(*name, value.parse().unwrap());
    }
    request
}

/// Reads an answer to its end.
pub(crate) async fn answer(response: ResponseFuture) -> Result<Answer, h2::Error> {
    let (head, mut body) = soon(response).await?.into_parts();
    let (body, trailers) = read(&mut body).await?;
    Ok(Answer {
        head: Response::from_parts(head, ()),
        body,
        trailers,
    })
}

/// Reads a body to its end.
pub(crate) async fn read(body: &mut RecvStream) -> Result<(Vec<u8>, HeaderMap), h2::Error> {
    let mut bytes = Vec::new();
    while let Some(data) = soon(body.data()).await {
        let data = data?;
        body.flow_control().release_capacity(data.len())?;
        bytes.extend_from_slice(&data);
    }
    let trailers = soon(body.trailers()).await?;
    Ok((bytes, trailers.unwrap_or_default()))
}

/// What should come without much waiting.
pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future)
        .await
        .expect("the proxy should have said something")
}
