//! The provider: as little work as a TLS server can do.

use std::convert::Infallible;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use anyhow::Context;
use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::KEY;
use crate::peer::{self, Proxy};
use crate::scenario::{Scenario, Upstream};

/// Starts it as a process of its own.
pub(crate) fn start(directory: &Path, scenario: &Scenario) -> anyhow::Result<Proxy> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .arg("provider")
        .arg(directory)
        .arg(scenario.answer.to_string());
    if scenario.upstream == Upstream::Http2 {
        command.arg("--http2");
    }
    peer::own("provider", "/", &mut command)
}

/// Is it.
pub(crate) fn run(directory: &Path, answer: usize, http2: bool) -> anyhow::Result<()> {
    let leaf = CertificateDer::from_pem_slice(&fs::read(directory.join("leaf.pem"))?)
        .context("leaf.pem")?;
    let key =
        PrivateKeyDer::from_pem_slice(&fs::read(directory.join("key.pem"))?).context("key.pem")?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![leaf], key)?;
    if http2 {
        config.alpn_protocols = vec![b"h2".to_vec()];
    }
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?.port());
        let body = Bytes::from(vec![b'x'; answer]);
        loop {
            let (stream, _) = listener.accept().await?;
            let (acceptor, body) = (acceptor.clone(), body.clone());
            // A connection that breaks off is the load's to notice.
            tokio::spawn(async move { serve(stream, acceptor, body, http2).await.ok() });
        }
    })
}

async fn serve(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    body: Bytes,
    http2: bool,
) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let stream = acceptor.accept(stream).await?;
    match http2 {
        true => serve_http2(stream, body).await,
        false => serve_http1(stream, &body).await,
    }
}

async fn serve_http1(mut stream: TlsStream<TcpStream>, body: &[u8]) -> anyhow::Result<()> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Type: application/json\r\n\
         Server: provider\r\nX-Request-Id: 0123456789abcdef\r\nContent-Length: {length}\r\n\r\n"
    );
    let answer = [head.as_bytes(), body].concat();
    let key = format!("\r\nauthorization: {}\r\n", KEY.to_ascii_lowercase());
    let mut input = Vec::with_capacity(128 * 1024);
    loop {
        let head = loop {
            if let Some(at) = input.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            if stream.read_buf(&mut input).await? == 0 {
                return Ok(());
            }
        };
        let text = String::from_utf8_lossy(input.get(..head).unwrap_or_default());
        let text = text.to_ascii_lowercase();
        let upload = match text.split_once("\r\ncontent-length: ") {
            Some((_, rest)) => rest.split("\r\n").next().unwrap_or_default().parse()?,
            None => 0,
        };
        while input.len() < head + upload {
            anyhow::ensure!(stream.read_buf(&mut input).await? > 0, "closed");
        }
        if text.contains(&key) {
            stream.write_all(&answer).await?;
        } else {
            let refusal = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n";
            stream.write_all(refusal.as_bytes()).await?;
        }
        stream.flush().await?;
        input.drain(..head + upload);
    }
}

async fn serve_http2(stream: TlsStream<TcpStream>, body: Bytes) -> anyhow::Result<()> {
    let service = service_fn(|request: http::Request<hyper::body::Incoming>| {
        let body = body.clone();
        async move {
            let given = request.headers().get("authorization");
            let good = given.is_some_and(|given| given == KEY);
            // Answered before it was read, an upload would be reset.
            let _ = request.into_body().collect().await;
            let mut response = Response::new(Full::new(body));
            if !good {
                *response.status_mut() = StatusCode::UNAUTHORIZED;
            }
            Ok::<_, Infallible>(response)
        }
    });
    hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), service)
        .await?;
    Ok(())
}
