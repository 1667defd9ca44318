//! Asking a proxy for a connection (RFC 9110 §9.3.6).

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use zeroize::Zeroizing;

use super::EgressProxy;

/// The largest head of an answer.
const LARGEST: usize = 8 * 1024;

/// Why a proxy gives no connection. Nothing that it said is quoted but the
/// status.
#[derive(Debug, thiserror::Error)]
pub enum EgressFault {
    /// It could not be connected to.
    #[error("cannot be reached")]
    Unreachable(#[source] io::Error),
    /// Status 407.
    #[error("does not accept the user name and password, or wants some (status 407)")]
    Credentials,
    /// It refused with another status.
    #[error("refused the connection (status {0})")]
    Refused(u16),
    /// It broke off, or answered in another protocol.
    #[error("did not answer as an HTTP proxy does")]
    Nonsense,
}

/// Has the proxy at the other end connect to `authority`; what is written and
/// read after that is the other side's.
///
/// # Errors
/// [`EgressFault`].
pub(crate) async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    proxy: &EgressProxy,
    authority: &str,
) -> Result<(), EgressFault> {
    let mut request = Zeroizing::new(format!(
        "CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n"
    ));
    if let Some(authorization) = &proxy.authorization {
        for part in ["Proxy-Authorization: ", authorization, "\r\n"] {
            request.push_str(part);
        }
    }
    request.push_str("\r\n");
    let sent = stream.write_all(request.as_bytes()).await;
    sent.map_err(|_| EgressFault::Nonsense)?;
    let mut head = Vec::new();
    let end = loop {
        if let Some(at) = head.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        let mut piece = [0; 1024];
        let read = stream.read(&mut piece).await;
        let length = read.map_err(|_| EgressFault::Nonsense)?;
        if length == 0 || head.len() > LARGEST {
            return Err(EgressFault::Nonsense);
        }
        head.extend_from_slice(&piece[..length]);
    };
    match status(&head) {
        // Whoever speaks TLS waits for us: nothing comes behind the head.
        Some(200..=299) if head.len() == end => Ok(()),
        Some(407) => Err(EgressFault::Credentials),
        Some(status @ 300..) => Err(EgressFault::Refused(status)),
        Some(_) | None => Err(EgressFault::Nonsense),
    }
}

/// The status of an answer in HTTP/1.
fn status(head: &[u8]) -> Option<u16> {
    let rest = head
        .strip_prefix(b"HTTP/1.0 ")
        .or_else(|| head.strip_prefix(b"HTTP/1.1 "))?;
    let digits = rest.get(..3)?;
    let ended = matches!(rest.get(3), Some(b' ' | b'\r'));
    let status: u16 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    (ended && digits.iter().all(u8::is_ascii_digit)).then_some(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(authorization: Option<&str>) -> EgressProxy {
        EgressProxy {
            host: "proxy.test".into(),
            port: 3128,
            authorization: authorization.map(|value| Zeroizing::new(value.to_owned())),
        }
    }

    /// What the proxy was asked, and what came of its answer.
    async fn asked(proxy: &EgressProxy, answer: &str) -> (String, Result<(), EgressFault>) {
        let (mut near, mut far) = tokio::io::duplex(64 * 1024);
        far.write_all(answer.as_bytes()).await.unwrap();
        far.shutdown().await.unwrap();
        let result = connect(&mut near, proxy, "api.test:443").await;
        drop(near);
        let mut request = String::new();
        far.read_to_string(&mut request).await.unwrap();
        (request, result)
    }

    #[tokio::test]
    async fn a_proxy_is_asked_by_name_with_its_credentials_if_there_are_any() {
        let ok = "HTTP/1.1 200 Connection established\r\nX: y\r\n\r\n";
        let (request, result) = asked(&proxy(None), ok).await;
        assert_eq!(
            request,
            "CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\n\r\n"
        );
        result.unwrap();
        let (request, result) = asked(&proxy(Some("Basic eA==")), "HTTP/1.0 200\r\n\r\n").await;
        assert!(request.contains("\r\nProxy-Authorization: Basic eA==\r\n"));
        result.unwrap();
    }

    #[tokio::test]
    async fn a_refusal_is_told_by_its_status() {
        for (answer, expected) in [
            (
                "HTTP/1.1 407 No\r\nContent-Length: 2\r\n\r\nno",
                "status 407",
            ),
            ("HTTP/1.1 403 No\r\n\r\n", "status 403"),
            ("HTTP/1.1 502 No\r\n\r\nbody", "status 502"),
            ("HTTP/1.1 100 Continue\r\n\r\n", "as an HTTP proxy"),
            ("HTTP/1.1 200 OK\r\n\r\nearly", "as an HTTP proxy"),
            ("HTTP/1.1 200 OK\r\n", "as an HTTP proxy"),
            ("HTTP/2 200 OK\r\n\r\n", "as an HTTP proxy"),
            ("SSH-2.0-x\r\n", "as an HTTP proxy"),
            ("", "as an HTTP proxy"),
        ] {
            let (_, result) = asked(&proxy(None), answer).await;
            let error = result.unwrap_err().to_string();
            assert!(error.contains(expected), "{answer:?}: {error}");
        }
        let endless = format!("HTTP/1.1 200 OK\r\nX: {}", "y".repeat(2 * LARGEST));
        let (_, result) = asked(&proxy(None), &endless).await;
        assert!(matches!(result, Err(EgressFault::Nonsense)));
    }
}
