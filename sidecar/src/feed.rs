//! The feed's client: gets the bundle from the operator and keeps it current.
//!
//! ```text
//!  dial ─► TLS 1.3 to a named root ─► GET /v1/feed, Bearer ─► hello, bundle, ping, tokens, …
//!    ▲                                                             │ apply
//!    └──────── backoff ◄── any failure, or the stream's end        └─► POST /v1/ack
//!                                      a refused credential ─────────► POST /v1/report
//! ```
//!
//! Only a bundle that came over an authenticated stream changes anything:
//! whatever goes wrong here, the last good bundle stays in use.

mod backoff;
mod connection;
mod lines;
mod reports;
mod settings;
mod stream;

#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use credence_core::bundle::{Bundle, Tokens};
use credence_core::names;
use credence_core::wire::{Ack, Report, WireError};
use credence_net::{DialError, HandshakeError};
use http::StatusCode;
use tokio::sync::watch;

use crate::standing::Refusals;
use connection::{Connection, encoded};
use reports::Reports;
pub use settings::{FeedSettings, InvalidFeed};
use settings::{Peer, read_token};
use stream::{Ended, Outgoing};

/// What the feed brings.
#[derive(Debug)]
pub enum Update {
    /// Everything, anew.
    Bundle(Bundle),
    /// Tokens of some collections.
    Tokens(Tokens),
}

/// A feed that has not been connected to yet.
#[derive(Debug)]
pub struct Feed {
    peer: Peer,
    trouble: watch::Sender<Option<String>>,
}

/// Why a connection to the feed ended, or was not made. Nothing of what the
/// peer sent is quoted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FeedError {
    /// This pod: the token is not there.
    #[error("cannot read the token at {}: {source}", .path.display())]
    NoToken { path: PathBuf, source: io::Error },
    /// This pod: the token's file has nothing that could be a token.
    #[error("the file {} does not hold a token", .0.display())]
    EmptyToken(PathBuf),
    /// The network, or the operator is not there.
    #[error("no connection to the feed: {0}")]
    Dial(#[from] DialError),
    /// The peer is not the operator that this pod trusts.
    #[error("no TLS session with the feed: {0}")]
    Handshake(#[from] HandshakeError),
    /// The peer does not speak HTTP/2, or broke it.
    #[error("the feed's connection failed: {0}")]
    Http(#[from] hyper::Error),
    /// The peer did not choose HTTP/2.
    #[error("the feed does not speak HTTP/2")]
    NotHttp2,
    /// The operator does not take this pod, or cannot at present.
    #[error("the feed answered {0}")]
    Refused(StatusCode),
    /// No answer in time.
    #[error("no answer from the feed within {} s", .0.as_secs())]
    NoAnswer(Duration),
    /// The stream is silent.
    #[error("nothing from the feed for {} s", .0.as_secs())]
    Silent(Duration),
    /// A line is longer than any bundle may be.
    #[error("a line of the feed is longer than {0} bytes")]
    LongLine(usize),
    /// A line is not one of the feed's.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// A bundle came before the stream was named.
    #[error("the feed did not begin with a hello")]
    NoHello,
    /// The stream ended before it brought anything.
    #[error("the feed ended before a bundle came")]
    NoBundle,
}

impl Feed {
    /// # Errors
    /// [`InvalidFeed`], which says what is wrong with which setting.
    pub fn new(settings: FeedSettings) -> Result<Self, InvalidFeed> {
        Ok(Self {
            peer: Peer::new(settings)?,
            trouble: watch::Sender::new(Some("the feed has not been reached yet".to_owned())),
        })
    }

    /// Why there is no stream at the moment, as a sentence for an operator;
    /// `None` while there is one.
    pub fn trouble(&self) -> watch::Receiver<Option<String>> {
        self.trouble.subscribe()
    }

    /// Follows the feed for ever. `apply` is given each update and returns the
    /// collections of it that cannot be served, with the reason. The operator
    /// is told of `refusals`.
    pub async fn follow(
        self,
        mut apply: impl FnMut(Update) -> BTreeMap<String, String>,
        mut refusals: Refusals,
    ) -> Infallible {
        let mut failures = 0;
        loop {
            let mut applied = false;
            let mut apply = |update| {
                applied = true;
                self.trouble
                    .send_if_modified(|trouble| trouble.take().is_some());
                apply(update)
            };
            let ended = self.connect_and_read(&mut apply, &mut refusals).await;
            // A peer that accepts and then breaks off must not be hammered: a
            // new start counts only once it has brought a bundle.
            failures = if applied { 0 } else { failures + 1 };
            self.note(ended);
            // Seeded by the system; hashing nothing yields the seed's digest.
            let random = RandomState::new().hash_one(());
            tokio::time::sleep(backoff::delay(failures, random)).await;
        }
    }

    async fn connect_and_read(
        &self,
        apply: &mut impl FnMut(Update) -> BTreeMap<String, String>,
        refusals: &mut Refusals,
    ) -> Result<Ended, FeedError> {
        let token = read_token(&self.peer.token_file).await?;
        let mut connection = Connection::open(&self.peer, &token).await?;
        drop(token);
        let body = connection.stream().await?;
        let operator = Outgoing {
            acknowledge: |ack: &Ack| connection.post(names::ACK_PATH, encoded(ack)),
            report: |report: &Report| connection.post(names::REPORT_PATH, encoded(report)),
            reports: Reports::new(refusals),
        };
        stream::read(body, operator, apply).await
    }

    /// Says once what is wrong; the same again is of interest only to someone
    /// who looks closely.
    fn note(&self, ended: Result<Ended, FeedError>) {
        match ended {
            Ok(Ended::ByOperator) => tracing::debug!("the operator ended the feed's stream"),
            Ok(Ended::OfAge) => tracing::debug!("the feed's stream is of age"),
            Err(error) => {
                let text = error.to_string();
                let changed = self.trouble.send_if_modified(|trouble| {
                    let changed = trouble.as_deref() != Some(&text);
                    *trouble = Some(text);
                    changed
                });
                if changed {
                    tracing::warn!(reason = %error, "the feed is not there: keeping what is here");
                } else {
                    tracing::debug!(reason = %error, "the feed is still not there");
                }
            }
        }
    }
}
