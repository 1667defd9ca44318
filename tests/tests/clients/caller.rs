//! An app's connection, byte by byte: for load, and for what no client library
//! would do.

use std::fmt;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

/// Reached only by what hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection to the proxy.
pub(crate) struct Caller {
    pub(crate) stream: TcpStream,
    host: String,
    unread: Vec<u8>,
}

/// A whole answer.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Caller {
    pub(crate) fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            host: format!("localhost:{}", address.port()),
            unread: Vec::new(),
        })
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> Result<()> {
        Ok(self.stream.write_all(bytes.as_ref())?)
    }

    /// The head of a request, with these fields besides `Host`.
    pub(crate) fn head(&self, method: &str, path: &str, fields: &[(&str, &str)]) -> String {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.host);
        for (name, value) in fields {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        head
    }

    pub(crate) fn get(&mut self, path: &str, fields: &[(&str, &str)]) -> Result<Answer> {
        self.send(self.head("GET", path, fields))?;
        self.answer()
    }

    /// The head of the next answer, and what has come of the body with it.
    pub(crate) fn beginning(&mut self) -> Result<(String, Vec<u8>)> {
        let head = self.answered_head()?;
        Ok((head, std::mem::take(&mut self.unread)))
    }

    fn answered_head(&mut self) -> Result<String> {
        let end = loop {
            let end = self.unread.windows(4).position(|four| four == b"\r\n\r\n");
            if let Some(end) = end {
                break end + 4;
            }
            ensure!(
                self.more()? > 0,
                "the connection ended before an answer, after {:?}",
                String::from_utf8_lossy(&self.unread)
            );
        };
        let head: Vec<u8> = self.unread.drain(..end).collect();
        Ok(String::from_utf8(head)?)
    }

    /// The next answer: with a length, or up to the end of the connection.
    pub(crate) fn answer(&mut self) -> Result<Answer> {
        let head = self.answered_head()?;
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|code| code.parse().ok())
            .with_context(|| format!("no status in {head:?}"))?;
        let length = field(&head, "content-length").map(str::parse::<usize>);
        let body = match length.transpose()? {
            Some(length) => {
                while self.unread.len() < length {
                    ensure!(self.more()? > 0, "the connection ended within a body");
                }
                self.unread.drain(..length).collect()
            }
            None => {
                while self.more()? > 0 {}
                std::mem::take(&mut self.unread)
            }
        };
        Ok(Answer { status, head, body })
    }

    /// Reads once; says how much there was.
    fn more(&mut self) -> Result<usize> {
        let mut piece = [0; 16 * 1024];
        let length = self.stream.read(&mut piece)?;
        self.unread.extend_from_slice(&piece[..length]);
        Ok(length)
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.head, self.text())
    }
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The kind of failure that the proxy says, if it is one that it made.
    pub(crate) fn slug(&self) -> Option<&str> {
        field(&self.head, "credence-error")
    }
}

/// The value of a field, by its name in lower case.
pub(crate) fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().skip(1).find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then_some(value.trim())
    })
}

/// One call on a connection of its own.
pub(crate) fn get(address: SocketAddr, path: &str, fields: &[(&str, &str)]) -> Result<Answer> {
    let fields = [fields, &[("Connection", "close")]].concat();
    Caller::connect(address)?.get(path, &fields)
}
