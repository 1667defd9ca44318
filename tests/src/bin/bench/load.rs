//! The load: connections that each have one request on the way.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

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
    /// The length of the requests' bodies; without one they are GET.
    pub(crate) body: usize,
    /// The length of the answers.
    pub(crate) answer: usize,
}

impl Load {
    /// Makes them all, and fails with the first answer that is not a good one.
    /// Gives how long each took, from its first byte out to its last byte in.
    pub(crate) fn run(self) -> anyhow::Result<Vec<Duration>> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            let made = Arc::new(AtomicUsize::new(0));
            let mut connections = JoinSet::new();
            for _ in 0..self.connections {
                connections.spawn(self.connection(Arc::clone(&made)));
            }
            let all = async {
                let mut took = Vec::with_capacity(self.requests);
                while let Some(ended) = connections.join_next().await {
                    took.extend(ended??);
                }
                Ok(took)
            };
            tokio::time::timeout(LIMIT, all)
                .await
                .context("the round takes too long")?
        })
    }

    async fn connection(self, made: Arc<AtomicUsize>) -> anyhow::Result<Vec<Duration>> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        stream.set_nodelay(true)?;
        let request = self.request();
        let mut took = Vec::with_capacity(self.requests / self.connections * 2);
        let mut input = Vec::with_capacity(self.answer + 4096);
        while made.fetch_add(1, Ordering::Relaxed) < self.requests {
            let begin = Instant::now();
            stream.write_all(&request).await?;
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
            took.push(begin.elapsed());
        }
        Ok(took)
    }

    fn request(self) -> Vec<u8> {
        let (path, port) = (self.path, self.port);
        let (method, length) = match self.body {
            0 => ("GET", String::new()),
            length => ("POST", format!("Content-Length: {length}\r\n")),
        };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost:{port}\r\nUser-Agent: bench\r\n\
             Accept: application/json\r\nAccept-Encoding: gzip\r\n{length}\r\n"
        );
        [head.into_bytes(), vec![b'y'; self.body]].concat()
    }
}
