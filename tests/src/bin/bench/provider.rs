//! The provider: as little work as a TLS server can do.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use anyhow::Context;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::KEY;
use crate::peer::{self, Proxy};

/// Starts it as a process of its own.
pub(crate) fn start(directory: &Path, answer: usize) -> anyhow::Result<Proxy> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .arg("provider")
        .arg(directory)
        .arg(answer.to_string());
    peer::own("provider", "/", &mut command)
}

/// Is it.
pub(crate) fn run(directory: &Path, answer: usize) -> anyhow::Result<()> {
    let leaf = CertificateDer::from_pem_slice(&fs::read(directory.join("leaf.pem"))?)
        .context("leaf.pem")?;
    let key =
        PrivateKeyDer::from_pem_slice(&fs::read(directory.join("key.pem"))?).context("key.pem")?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![leaf], key)?;
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let head = format!(
        "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Type: application/json\r\n\
         Server: provider\r\nX-Request-Id: 0123456789abcdef\r\nContent-Length: {answer}\r\n\r\n"
    );
    let answer = Arc::new([head.into_bytes(), vec![b'x'; answer]].concat());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?.port());
        loop {
            let (stream, _) = listener.accept().await?;
            let (acceptor, answer) = (acceptor.clone(), Arc::clone(&answer));
            // A connection that breaks off is the load's to notice.
            tokio::spawn(async move { serve(stream, acceptor, &answer).await.ok() });
        }
    })
}

async fn serve(stream: TcpStream, acceptor: TlsAcceptor, answer: &[u8]) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = acceptor.accept(stream).await?;
    let mut input = Vec::with_capacity(4096);
    while stream.read_buf(&mut input).await? > 0 {
        if !input.ends_with(b"\r\n\r\n") {
            continue;
        }
        let head = String::from_utf8_lossy(&input).to_ascii_lowercase();
        let key = format!("\r\nauthorization: {}\r\n", KEY.to_ascii_lowercase());
        if head.contains(&key) {
            stream.write_all(answer).await?;
        } else {
            let refusal = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n";
            stream.write_all(refusal.as_bytes()).await?;
        }
        stream.flush().await?;
        input.clear();
    }
    Ok(())
}
