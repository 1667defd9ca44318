//! A token endpoint that replaces refresh tokens, and misbehaves as told.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;

/// What it does with one request, once it has read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Resets the connection.
    ResetBefore,
    /// Does what it is asked for, and resets the connection.
    ResetAfter,
    /// Answers 200 and nothing else.
    EmptyBefore,
    /// Does what it is asked for, and answers 200 and nothing else.
    EmptyAfter,
    /// Does what it is asked for, and ends in the middle of the answer.
    HalfAfter,
    /// Answers with this status.
    Status(u16),
    /// Answers 429, with so many seconds to wait.
    TooMany(u32),
    /// Answers with this status and this body.
    Says(u16, &'static str),
    /// Answers with a page for people.
    Page,
    /// Answers 307.
    Redirect,
}

#[derive(Default)]
struct State {
    acts: VecDeque<Act>,
    bodies: Vec<String>,
    current: String,
    revoked: bool,
    tokens: u32,
    reuses: u32,
}

pub(crate) struct Endpoint {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    serving: Mutex<Option<JoinHandle<()>>>,
}

impl Endpoint {
    pub(crate) async fn new() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State {
            current: "seed".to_owned(),
            ..State::default()
        }));
        let endpoint = Self {
            address,
            state,
            serving: Mutex::default(),
        };
        endpoint.serve(listener);
        endpoint
    }

    fn serve(&self, listener: TcpListener) {
        let state = Arc::clone(&self.state);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // One after the other: a keeper asks no two things at once.
                serve(stream, &state).await;
            }
        });
        *self.serving.lock().unwrap() = Some(serving);
    }

    /// From now on nobody listens. The port stays taken.
    pub(crate) async fn close(&self) -> TcpSocket {
        let serving = self.serving.lock().unwrap().take().unwrap();
        serving.abort();
        assert!(serving.await.is_err_and(|error| error.is_cancelled()));
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(self.address).unwrap();
        socket
    }

    pub(crate) fn open(&self, closed: TcpSocket) {
        self.serve(closed.listen(16).unwrap());
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/token", self.address)
    }

    /// What it does with the next request.
    pub(crate) fn next(&self, act: Act) {
        self.state.lock().unwrap().acts.push_back(act);
    }

    /// What it was asked.
    pub(crate) fn bodies(&self) -> Vec<String> {
        self.state.lock().unwrap().bodies.clone()
    }

    /// How often it saw a refresh token that it had replaced.
    pub(crate) fn reuses(&self) -> u32 {
        self.state.lock().unwrap().reuses
    }
}

impl State {
    fn act(&mut self, body: &str) -> String {
        let token = body.split("refresh_token=").nth(1);
        if let Some(token) = token
            && (self.revoked || token != self.current)
        {
            self.reuses += u32::from(!self.revoked);
            self.revoked = true;
            return answer(400, "application/json", r#"{"error": "invalid_grant"}"#);
        }
        self.tokens += 1;
        let number = self.tokens;
        self.current = format!("r{number}");
        // Seconds as a text, and JSON that says that it is none.
        let body = format!(
            r#"{{"access_token": "t{number}", "expires_in": "3600", "refresh_token": "r{number}"}}"#
        );
        answer(200, "text/plain", &body)
    }
}

fn answer(status: u16, content_type: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n\
         {body}"
    )
}

async fn serve(mut stream: TcpStream, state: &Mutex<State>) {
    let mut request = Vec::new();
    let body = loop {
        if let Some(body) = body_of(&request) {
            break body;
        }
        if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
            return;
        }
    };
    let (act, acted) = {
        let mut state = state.lock().unwrap();
        state.bodies.push(body.clone());
        let act = state.acts.pop_front();
        let acts = matches!(
            act,
            None | Some(Act::ResetAfter | Act::EmptyAfter | Act::HalfAfter)
        );
        (act, acts.then(|| state.act(&body)))
    };
    let whole = acted.unwrap_or_default();
    let text = match act {
        None => whole,
        Some(Act::ResetBefore | Act::ResetAfter) => {
            stream.set_zero_linger().unwrap();
            return;
        }
        Some(Act::EmptyBefore | Act::EmptyAfter) => answer(200, "application/json", ""),
        Some(Act::HalfAfter) => whole[..whole.len() - 10].to_owned(),
        Some(Act::Status(status)) => answer(status, "text/plain", ""),
        Some(Act::TooMany(seconds)) => answer(429, "text/plain", "slow down").replacen(
            "\r\n",
            &format!("\r\nRetry-After: {seconds}\r\n"),
            1,
        ),
        Some(Act::Says(status, body)) => answer(status, "text/html", body),
        Some(Act::Page) => answer(200, "text/html", "<!DOCTYPE html><title>Sign in</title>"),
        Some(Act::Redirect) => answer(307, "text/plain", "").replacen(
            "\r\n",
            "\r\nLocation: http://127.0.0.1:1/\r\n",
            1,
        ),
    };
    // The other side may have gone.
    let _ = stream.write_all(text.as_bytes()).await;
}

/// The body of a request that has come in whole.
fn body_of(request: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(request).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length").then_some(value)
    })?;
    (body.len() >= length.parse().unwrap()).then(|| body.to_owned())
}
