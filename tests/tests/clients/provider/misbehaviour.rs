//! What a provider should not do, by the path that is called.

use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// Between the bytes of a slow answer.
const DRIP: Duration = Duration::from_millis(100);

/// Serves one connection.
pub(crate) async fn serve(mut stream: TlsStream<TcpStream>) -> Result<()> {
    let mut input = Vec::new();
    loop {
        while !input.ends_with(b"\r\n\r\n") && !input.ends_with(b"0\r\n\r\n") {
            if stream.read_buf(&mut input).await? == 0 {
                return Ok(());
            }
        }
        let head = String::from_utf8_lossy(&input).into_owned();
        let path = head.split(' ').nth(1).unwrap_or_default();
        match path.strip_prefix("/v1").unwrap_or(path) {
            "/reset-at-once" => return reset(&stream),
            "/reset-in-head" => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-").await?;
                stream.flush().await?;
                return reset(&stream);
            }
            "/reset-in-body" => {
                let begun = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nthe beginning";
                stream.write_all(begun).await?;
                stream.flush().await?;
                return reset(&stream);
            }
            "/never" => {
                // Until the caller gives up.
                while stream.read_buf(&mut input).await? > 0 {
                    input.clear();
                }
                return Ok(());
            }
            "/slowly" => {
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n")
                    .await?;
                for _ in 0..30 {
                    tokio::time::sleep(DRIP).await;
                    stream.write_all(b".").await?;
                    stream.flush().await?;
                }
            }
            _ => {
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine")
                    .await?;
            }
        }
        stream.flush().await?;
        input.clear();
    }
}

/// Ends the connection with a reset: what lies in the buffers is lost.
fn reset(stream: &TlsStream<TcpStream>) -> Result<()> {
    stream.get_ref().0.set_zero_linger()?;
    Ok(())
}
