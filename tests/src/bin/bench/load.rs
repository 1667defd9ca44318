//! The load: connections that each have one request on the way.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Longer than any round takes; a proxy that hangs must not hang the bench.
const LIMIT: Duration = Duration::from_secs(120);

/// So many requests over so many connections.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    pub(crate) port: u16,
    pub(crate) path: &'static str,
    pub(crate) connections: usize,
    pub(crate) requests: usize,
    /// The length of the answers.
    pub(crate) answer: usize,
}

impl Load {
    /// Makes them all, and fails with the first answer that is not a good one.
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            let made = std::sync::Arc::new(AtomicUsize::new(0));
            let mut connections = JoinSet::new();
            for _ in 0..self.connections {
                connections.spawn(self.connection(std::sync::Arc::clone(&made)));
            }
            let all = async {
                while let Some(ended) = connections.join_next().await {
                    ended??;
                }
                Ok(())
            };
            tokio::time::timeout(LIMIT, all)
                .await
                .context("the round takes too long")?
        })
    }

    async fn connection(self, made: std::sync::Arc<AtomicUsize>) -> anyhow::Result<()> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        stream.set_nodelay(true)?;
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: localhost:{}\r\nUser-Agent: bench\r\nAccept: application/json\r\n\
             Accept-Encoding: gzip\r\n\r\n",
            self.path, self.port
        );
        let mut input = Vec::with_capacity(self.answer + 4096);
        while made.fetch_add(1, Ordering::Relaxed) < self.requests {
            stream.write_all(request.as_bytes()).await?;
            input.clear();
            let head = loop {
                ensure!(stream.read_buf(&mut input).await? > 0, "closed");
                if let Some(at) = input.windows(4).position(|four| four == b"\r\n\r\n") {
                    break at + 4;
                }
            };
            if !input.starts_with(b"HTTP/1.1 200 ") {
                bail!("{}", String::from_utf8_lossy(&input));
            }
            while input.len() < head + self.answer {
                ensure!(stream.read_buf(&mut input).await? > 0, "closed");
            }
            ensure!(input.len() == head + self.answer, "more than was asked for");
        }
        Ok(())
    }
}
