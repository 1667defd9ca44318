//! `credence call`: one call, as an app makes it.
//!
//! ```text
//! arguments ─► request ─► the proxy of `credence run`
//!                    └──► a pod's sidecar, by a port that the API server forwards
//! ```

mod pod;
mod request;

use std::io::Write;
use std::time::Duration;

use anyhow::Context as _;
use http::Response;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::args::CallArgs;
use crate::exit::Exit;

/// For a connection to this machine, or to one that was named.
const CONNECT: Duration = Duration::from_secs(10);

/// How much later than the end of a forwarded port its reason may come.
const REFUSAL: Duration = Duration::from_secs(1);

/// Makes the call and prints what comes back, as it comes.
///
/// # Errors
/// When there is no answer, or it cannot be printed.
pub(crate) async fn run(args: &CallArgs, out: &mut impl Write) -> anyhow::Result<Exit> {
    let request = match request::of(args, &mut std::io::stdin()) {
        Ok(request) => request,
        Err(error) => {
            eprintln!("error: {error}");
            return Ok(match error {
                request::Unusable::File { .. } => Exit::Environment,
                _ => Exit::Usage,
            });
        }
    };
    if args.namespace.is_some() || args.pod.is_some() {
        let (stream, refusal) = pod::forward(args).await?;
        tokio::pin!(refusal);
        return tokio::select! {
            status = exchange(stream, request, args.include, out) => match status {
                Ok(status) => Ok(status),
                // Why the pod refused is said on a channel of its own.
                Err(error) => match tokio::time::timeout(REFUSAL, refusal).await {
                    Ok(Some(refusal)) => Err(anyhow::anyhow!(refusal)),
                    Ok(None) | Err(_) => Err(error),
                },
            },
            Some(refusal) = &mut refusal => Err(anyhow::anyhow!(refusal)),
        };
    }
    let proxy = args.proxy.as_str();
    let port = args.proxy.port_u16().unwrap_or(80);
    let host = args
        .proxy
        .host()
        .trim_start_matches('[')
        .trim_end_matches(']');
    let connected = tokio::time::timeout(CONNECT, TcpStream::connect((host, port)));
    let stream = connected
        .await
        .map_err(anyhow::Error::from)
        .and_then(|connected| Ok(connected?))
        .with_context(|| {
            format!(
                "nothing answers at {proxy}: start `credence run PATH`, say with --proxy where \
                 it listens, or call through a pod with --namespace"
            )
        })?;
    exchange(stream, request, args.include, out).await
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: http::Request<Full<Bytes>>,
    include: bool,
    out: &mut impl Write,
) -> anyhow::Result<Exit> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .context("no answer")?;
    let answered = async {
        let answer = sender.send_request(request).await.context("no answer")?;
        print(answer, include, out).await
    };
    tokio::pin!(answered);
    tokio::select! {
        answered = &mut answered => answered,
        // It ends when the answer has, too.
        _ = connection => answered.await,
    }
}

async fn print(
    answer: Response<Incoming>,
    include: bool,
    out: &mut impl Write,
) -> anyhow::Result<Exit> {
    let (head, mut body) = answer.into_parts();
    if include {
        let reason = head.status.canonical_reason().unwrap_or_default();
        writeln!(out, "{:?} {} {reason}", head.version, head.status.as_u16())?;
        for (name, value) in &head.headers {
            writeln!(out, "{name}: {}", String::from_utf8_lossy(value.as_bytes()))?;
        }
        writeln!(out)?;
    }
    while let Some(frame) = body.frame().await {
        let frame = frame.context("the answer was cut short")?;
        if let Some(data) = frame.data_ref() {
            out.write_all(data)?;
            out.flush()?;
        }
    }
    Ok(match head.status.as_u16() {
        ..400 => Exit::Success,
        _ => Exit::Failed,
    })
}
