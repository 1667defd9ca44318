//! One request, whose answer is read for as long as it comes.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use clap::Args;
use http::Uri;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// `probe stream`.
#[derive(Args)]
pub(crate) struct Stream {
    /// Where to, over plain HTTP.
    url: Uri,
    /// The protocol to go on with (RFC 9110 §7.8), such as `websocket`.
    #[arg(long)]
    upgrade: Option<String>,
}

impl Stream {
    /// Prints a line when the answer begins, and one when it ends, however
    /// that is: `{begun, head}` and `{ended, bytes}`, in milliseconds since
    /// 1970.
    pub(crate) async fn run(&self) -> Result<()> {
        let authority = self.url.authority().context("the URL has no host")?;
        let mut stream = TcpStream::connect(authority.as_str()).await?;
        let upgrade = self.upgrade.as_ref().map_or_else(String::new, |protocol| {
            format!("Connection: Upgrade\r\nUpgrade: {protocol}\r\n")
        });
        let path = self.url.path();
        let request = format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\n{upgrade}\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut buffer = [0; 4096];
        let mut bytes = stream.read(&mut buffer).await?;
        let head = String::from_utf8_lossy(&buffer[..bytes]).into_owned();
        println!("{}", serde_json::json!({"begun": now(), "head": head}));
        // A reset is an end like any other.
        while let Ok(read @ 1..) = stream.read(&mut buffer).await {
            bytes += read;
        }
        println!("{}", serde_json::json!({"ended": now(), "bytes": bytes}));
        Ok(())
    }
}

/// Milliseconds since 1970.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    since.as_millis().try_into().unwrap_or(u64::MAX)
}
