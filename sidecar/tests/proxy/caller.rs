//! A caller: a plain connection, on which a test writes what it likes.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::provider::field;

/// Longer than anything that is waited for here, so that a hang is a failure.
const PATIENCE: Duration = Duration::from_secs(20);

/// One connection to the proxy.
pub(crate) struct Caller {
    stream: TcpStream,
    unread: Vec<u8>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        self.head[9..12].parse().unwrap()
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        field(&self.head, name)
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
        Self {
            stream,
            unread: Vec::new(),
        }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Writes as far as the other side takes it.
    pub(crate) async fn send_some(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).await.is_ok()
    }

    /// Says that it sends no more.
    pub(crate) async fn end_sending(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// Sends a GET and reads its answer.
    pub(crate) async fn get(&mut self, target: &str) -> Answer {
        self.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n"))
            .await;
        self.answer().await
    }

    /// The next answer, to a request that is not HEAD.
    pub(crate) async fn answer(&mut self) -> Answer {
        let head = self.head().await;
        let status: u16 = head[9..12].parse().unwrap();
        let body = if matches!(status, 100..=199 | 204 | 304) {
            Vec::new()
        } else if let Some(length) = field(&head, "content-length") {
            self.bytes(length.parse().unwrap()).await
        } else if field(&head, "transfer-encoding").is_some() {
            self.chunks().await
        } else {
            self.rest()
                .await
                .expect("the body should end in good order")
        };
        Answer { head, body }
    }

    /// The next head, with its empty line.
    pub(crate) async fn head(&mut self) -> String {
        self.until("\r\n\r\n").await
    }

    /// What comes up to and with `end`.
    pub(crate) async fn until(&mut self, end: &str) -> String {
        loop {
            let found = self
                .unread
                .windows(end.len())
                .position(|part| part == end.as_bytes());
            if let Some(at) = found {
                let bytes: Vec<u8> = self.unread.drain(..at + end.len()).collect();
                return bytes.into_iter().map(char::from).collect();
            }
            let length = self.more().await.unwrap();
            assert!(
                length > 0,
                "ended after {:?}",
                String::from_utf8_lossy(&self.unread)
            );
        }
    }

    pub(crate) async fn bytes(&mut self, length: usize) -> Vec<u8> {
        while self.unread.len() < length {
            assert!(self.more().await.unwrap() > 0, "the body ends too early");
        }
        self.unread.drain(..length).collect()
    }

    /// Everything up to the end; an error when the connection is reset.
    pub(crate) async fn rest(&mut self) -> std::io::Result<Vec<u8>> {
        while self.more().await? > 0 {}
        Ok(std::mem::take(&mut self.unread))
    }

    /// Whether the proxy has closed the connection, with nothing more to say.
    pub(crate) async fn is_closed(&mut self) -> bool {
        self.unread.is_empty() && matches!(self.more().await, Ok(0) | Err(_))
    }

    async fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let line = self.until("\r\n").await;
            let size = usize::from_str_radix(line.trim_end(), 16).unwrap();
            if size == 0 {
                while self.until("\r\n").await != "\r\n" {}
                return body;
            }
            body.extend(self.bytes(size).await);
            assert_eq!(self.bytes(2).await, b"\r\n");
        }
    }

    async fn more(&mut self) -> std::io::Result<usize> {
        let mut piece = vec![0; 64 * 1024];
        let length = tokio::time::timeout(PATIENCE, self.stream.read(&mut piece))
            .await
            .expect("the proxy should have said something")?;
        self.unread.extend_from_slice(&piece[..length]);
        Ok(length)
    }
}
