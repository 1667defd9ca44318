//! How a collection's credential stands with its provider.
//!
//! Every answer is looked at; what is worth telling the operator is on the
//! board, from which the feed's client reads.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use credence_core::CollectionName;
use credence_core::reception::{Reception, Said};
use tokio::sync::watch;
use tokio::time::Instant;

/// A refused credential is good again when a call succeeds so long after the
/// last refusal: many APIs answer some calls whoever asks, and these do not
/// say anything while others are refused.
const RECOVERY: Duration = Duration::from_secs(300);

/// What there is to say about credentials, by collection: those that were
/// refused once, and how they stand now.
#[derive(Clone, Debug, Default)]
pub(crate) struct Board(watch::Sender<BTreeMap<CollectionName, Noted>>);

#[derive(Clone, Copy, Debug)]
struct Noted {
    said: Said,
    refused_at: Instant,
}

impl Board {
    /// Told of every change.
    pub(crate) fn reader(&self) -> Refusals {
        Refusals(self.0.subscribe())
    }
}

/// Reads the board: the collections whose credential was refused since it is
/// there, and how it stands now.
#[derive(Clone, Debug)]
pub struct Refusals(watch::Receiver<BTreeMap<CollectionName, Noted>>);

impl Refusals {
    /// What is there now.
    pub fn all(&self) -> BTreeMap<CollectionName, Said> {
        let board = self.0.borrow();
        board
            .iter()
            .map(|(name, noted)| (name.clone(), noted.said))
            .collect()
    }

    /// The tokens that were refused, by the generation.
    pub fn tokens(&self) -> BTreeMap<CollectionName, u64> {
        let all = self.all().into_iter();
        all.filter_map(|(name, said)| Some((name, said.generation?)))
            .collect()
    }

    /// Waits until something else is there than at the last call. Never ends
    /// once the proxy is gone.
    pub async fn changed(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending().await
        }
    }
}

/// Of one credential: a rotated one begins anew.
#[derive(Debug)]
pub(crate) struct Standing {
    collection: CollectionName,
    /// Whether there is a credential that answers could be about.
    of_ours: bool,
    /// Which token it is, if it is one.
    generation: Option<u64>,
    worked: AtomicBool,
    /// Whether the board says so.
    refused: AtomicBool,
    /// Set while the board is locked: nothing is noted after that.
    over: AtomicBool,
    board: Board,
}

impl Standing {
    pub(crate) fn new(
        collection: CollectionName,
        of_ours: bool,
        generation: Option<u64>,
        board: Board,
    ) -> Self {
        Self {
            collection,
            of_ours,
            generation,
            worked: AtomicBool::new(false),
            refused: AtomicBool::new(false),
            over: AtomicBool::new(false),
            board,
        }
    }

    /// Takes note of the head of an answer.
    pub(crate) fn answered(&self, status: u16) {
        match Reception::of_status(status) {
            Some(Reception::Accepted) => self.accepted(status),
            Some(Reception::Refused) => self.refused(Some(status)),
            None => {}
        }
    }

    /// Takes note of an answer that refuses the token, by a status that the
    /// collection says to do so.
    pub(crate) fn token_refused(&self, status: u16) {
        self.refused(Some(status));
    }

    /// Takes note of a handshake that failed for the client certificate.
    pub(crate) fn certificate_refused(&self) {
        self.refused(None);
    }

    /// Takes what it said off the board: another credential is in its place.
    pub(crate) fn end(&self) {
        self.board.0.send_if_modified(|board| {
            self.over.store(true, Ordering::Relaxed);
            board.remove(&self.collection).is_some()
        });
    }

    /// On the way of every call, so it costs nothing while all is well.
    fn accepted(&self, status: u16) {
        if !self.of_ours {
            return;
        }
        if !self.worked.load(Ordering::Relaxed) {
            self.worked.store(true, Ordering::Relaxed);
        }
        if !self.refused.load(Ordering::Relaxed) {
            return;
        }
        let now = Instant::now();
        let recovered = self.board.0.send_if_modified(|board| {
            let Some(noted) = board.get_mut(&self.collection) else {
                return false;
            };
            let since = now.duration_since(noted.refused_at);
            if self.over.load(Ordering::Relaxed) || since < RECOVERY {
                return false;
            }
            self.refused.store(false, Ordering::Relaxed);
            noted.said = Said {
                status: Some(status),
                worked: true,
                generation: None,
            };
            true
        });
        if recovered {
            tracing::info!(collection = %self.collection, "the provider accepts the credential again");
        }
    }

    fn refused(&self, status: Option<u16>) {
        if !self.of_ours {
            return;
        }
        let now = Instant::now();
        let said = Said {
            status,
            worked: self.worked.load(Ordering::Relaxed),
            generation: self.generation,
        };
        let told = self.board.0.send_if_modified(|board| {
            if self.over.load(Ordering::Relaxed) {
                return false;
            }
            self.refused.store(true, Ordering::Relaxed);
            let noted = Noted {
                said,
                refused_at: now,
            };
            let before = board.insert(self.collection.clone(), noted);
            before.is_none_or(|before| before.said.status != status)
        });
        if told {
            tracing::warn!(
                collection = %self.collection,
                status,
                accepted_before = said.worked,
                "the provider refuses the credential"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(of_ours: bool) -> (Standing, Refusals) {
        let board = Board::default();
        let reader = board.reader();
        let standing = Standing::new("openai".parse().unwrap(), of_ours, None, board);
        (standing, reader)
    }

    fn said(reader: &Refusals) -> Option<(Option<u16>, bool)> {
        let said = reader.all().into_values().next();
        said.map(|said| (said.status, said.worked))
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_is_told_once_and_with_what_was_before() {
        let (standing, mut reader) = standing(true);
        for status in [200, 403, 404, 500] {
            standing.answered(status);
            assert_eq!(said(&reader), None);
        }
        standing.answered(401);
        assert_eq!(said(&reader), Some((Some(401), true)));
        reader.changed().await;
        standing.answered(401);
        assert!(!reader.0.has_changed().unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn calls_that_succeed_among_refused_ones_say_nothing() {
        let (standing, reader) = standing(true);
        standing.answered(401);
        for _ in 0..10 {
            tokio::time::advance(RECOVERY / 2).await;
            standing.answered(200);
            standing.answered(401);
        }
        assert_eq!(said(&reader).unwrap().0, Some(401));
        tokio::time::advance(RECOVERY).await;
        assert_eq!(said(&reader).unwrap().0, Some(401), "no call, no news");
        standing.answered(204);
        assert_eq!(said(&reader), Some((Some(204), true)));
        standing.answered(401);
        assert_eq!(said(&reader), Some((Some(401), true)));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_to_the_old_credential_says_nothing_about_the_new_one() {
        let (old, reader) = standing(true);
        old.answered(401);
        old.end();
        assert_eq!(said(&reader), None);
        old.answered(401);
        old.certificate_refused();
        assert_eq!(said(&reader), None);
    }

    #[test]
    fn without_a_credential_there_is_nothing_to_refuse() {
        let (standing, reader) = standing(false);
        standing.answered(401);
        standing.certificate_refused();
        assert_eq!(said(&reader), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_certificate_has_no_status() {
        let (standing, reader) = standing(true);
        standing.certificate_refused();
        assert_eq!(said(&reader), Some((None, false)));
    }
}
