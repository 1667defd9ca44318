//! How a collection's credential stands with its provider.
//!
//! Every answer is looked at; what is worth telling the operator is on the
//! board, from which the feed's client reads.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use credence_core::CollectionName;
use credence_core::reception::{Reception, Said};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::aws_error::KeyError;

/// A refused credential is good again when a call succeeds so long after the
/// last refusal: many APIs answer some calls whoever asks, and these do not
/// say anything while others are refused.
const RECOVERY: Duration = Duration::from_secs(300);

/// How long calls wait for the next token when one is refused: a renewal takes
/// a second or two. From the first refusal on, so that an API that answers 401
/// to some calls whoever asks does not become slow.
const HOPE: Duration = Duration::from_secs(5);

/// For how long a token that has replaced a refused one is not replaced for the
/// same reason.
const FORCED_INTERVAL: Duration = Duration::from_secs(30);

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
    /// Since when the token is refused.
    refused_since: OnceLock<Instant>,
    /// When it took the place of one that was refused.
    replaced_at: Option<Instant>,
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
            refused_since: OnceLock::new(),
            replaced_at: None,
            board,
        }
    }

    /// The same, as that of a credential which takes the place of another.
    pub(crate) fn after(self, last: Option<&Self>, now: Instant) -> Self {
        let refused = last.is_some_and(|last| last.refused_since.get().is_some());
        Self {
            replaced_at: refused.then_some(now),
            ..self
        }
    }

    /// Until when a call that was refused may wait for a newer token; none if
    /// that is not to be expected, or if nobody is told of the refusal.
    pub(crate) fn hope(&self, now: Instant) -> Option<Instant> {
        let until = *self.refused_since.get()? + HOPE;
        let renewable = self
            .replaced_at
            .is_none_or(|replaced| now >= replaced + FORCED_INTERVAL);
        let is_heard = self.board.0.receiver_count() > 0;
        (renewable && is_heard && now < until).then_some(until)
    }

    /// Takes note of the head of an answer.
    pub(crate) fn answered(&self, status: u16) {
        match Reception::of_status(status) {
            Some(Reception::Accepted) => self.accepted(status),
            Some(Reception::Refused) => self.refused(Some(status), false),
            None => {}
        }
    }

    /// Takes note of an answer that refuses the token, by a status that the
    /// collection says to do so.
    pub(crate) fn token_refused(&self, status: u16) {
        self.refused_since.get_or_init(Instant::now);
        self.refused(Some(status), false);
    }

    /// Takes note of an answer of AWS that names the key as its reason. Where the
    /// key has made a good signature before, it is not the cause of a bad one.
    pub(crate) fn key_refused(&self, status: u16, error: KeyError) {
        let doubtful = error == KeyError::Mismatch && self.worked.load(Ordering::Relaxed);
        if !doubtful {
            self.refused(Some(status), true);
        }
    }

    /// Takes note of a handshake that failed for the client certificate.
    pub(crate) fn certificate_refused(&self) {
        self.refused(None, false);
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
                named: false,
            };
            true
        });
        if recovered {
            tracing::info!(collection = %self.collection, "the provider accepts the credential again");
        }
    }

    fn refused(&self, status: Option<u16>, named: bool) {
        if !self.of_ours {
            return;
        }
        let now = Instant::now();
        let said = Said {
            status,
            worked: self.worked.load(Ordering::Relaxed),
            generation: self.generation,
            named,
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

    #[tokio::test(start_paused = true)]
    async fn a_refused_call_waits_for_five_seconds_after_the_first_refusal_and_not_after_a_renewal()
    {
        let (board, began) = (Board::default(), Instant::now());
        let token = |generation| {
            let name = "openai".parse().unwrap();
            Standing::new(name, true, Some(generation), board.clone())
        };
        let first = token(7);
        assert_eq!(first.hope(began), None, "it was not refused");
        first.token_refused(401);
        assert_eq!(first.hope(began), None, "nobody is told");
        let _reader = board.reader();
        tokio::time::advance(Duration::from_secs(4)).await;
        first.token_refused(401);
        assert_eq!(first.hope(Instant::now()), Some(began + HOPE));
        assert_eq!(first.hope(began + HOPE), None);

        let second = token(8).after(Some(&first), began);
        second.token_refused(401);
        assert_eq!(second.hope(Instant::now()), None);
        let later = token(9).after(Some(&first), began);
        tokio::time::advance(FORCED_INTERVAL).await;
        later.token_refused(401);
        assert!(later.hope(Instant::now()).is_some());
        let planned = token(10).after(Some(&token(9)), Instant::now());
        planned.token_refused(401);
        assert!(planned.hope(Instant::now()).is_some());
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
