//! What is reported of refused credentials, and when.

use std::collections::BTreeMap;
use std::time::Duration;

use credence_core::CollectionName;
use credence_core::reception::{Reception, Said};
use credence_core::wire::Report;
use http::StatusCode;
use tokio::time::{Instant, sleep_until};

use super::FeedError;
use crate::standing::Refusals;

/// Between two reports on one collection: whatever a provider does, it makes
/// no storm.
const PAUSE: Duration = Duration::from_secs(30);

/// The reports of one stream. Each new bundle begins anew, since the operator
/// does not know which of its credentials are the same as before.
pub(super) struct Reports<'a> {
    refusals: &'a mut Refusals,
    bundle: Option<(String, String)>,
    told: BTreeMap<CollectionName, Told>,
    unwanted: bool,
}

#[derive(Clone, Copy)]
struct Told {
    /// When it was last tried.
    at: Instant,
    /// What the operator took last.
    taken: Option<Said>,
}

impl<'a> Reports<'a> {
    pub(super) fn new(refusals: &'a mut Refusals) -> Self {
        Self {
            refusals,
            bundle: None,
            told: BTreeMap::new(),
            unwanted: false,
        }
    }

    /// Says which bundle of which stream is in use now.
    pub(super) fn begin(&mut self, stream: &str, revision: &str) {
        self.bundle = Some((stream.to_owned(), revision.to_owned()));
        self.told.clear();
    }

    /// Waits until there is something to report. May be given up and called
    /// again.
    pub(super) async fn next(&mut self) -> Report {
        loop {
            let Some((stream, revision)) = self.bundle.as_ref().filter(|_| !self.unwanted) else {
                return std::future::pending().await;
            };
            let now = Instant::now();
            let due = self.due(now);
            match due.first_key_value() {
                Some((at, (name, said))) if *at <= now => {
                    let report = Report {
                        stream: stream.clone(),
                        revision: revision.clone(),
                        collection: name.to_string(),
                        said: *said,
                    };
                    let taken = self.told.get(name).and_then(|told| told.taken);
                    self.told.insert(name.clone(), Told { at: now, taken });
                    return report;
                }
                Some((at, _)) => {
                    tokio::select! {
                        () = sleep_until(*at) => {}
                        () = self.refusals.changed() => {}
                    }
                }
                None => self.refusals.changed().await,
            }
        }
    }

    /// What is to be reported, by the earliest time; one of each time.
    fn due(&self, now: Instant) -> BTreeMap<Instant, (CollectionName, Said)> {
        let all = self.refusals.all().into_iter();
        all.filter_map(|(name, said)| {
            let told = self.told.get(&name);
            let at = told.map_or(now, |told| told.at + PAUSE);
            is_news(told.and_then(|told| told.taken), said).then_some((at, (name, said)))
        })
        .collect()
    }

    /// Takes note of what the operator answered.
    pub(super) fn answered(&mut self, report: &Report, result: Result<(), FeedError>) {
        match result {
            Ok(()) => {
                if let Some(told) = self.told.get_mut(report.collection.as_str()) {
                    told.taken = Some(report.said);
                }
            }
            Err(FeedError::Refused(StatusCode::NOT_FOUND)) => {
                tracing::debug!("the operator does not take reports");
                self.unwanted = true;
            }
            Err(error) => tracing::warn!(reason = %error, "a report failed"),
        }
    }
}

/// A credential that was never refused is not worth a report.
fn is_news(taken: Option<Said>, said: Said) -> bool {
    match (taken, said.reception()) {
        (None, reception) => reception == Some(Reception::Refused),
        (Some(taken), reception) => {
            taken.reception() != reception
                || (reception == Some(Reception::Refused)
                    && (taken.status, taken.generation) != (said.status, said.generation))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::standing::{Board, Standing};

    struct Case {
        board: Board,
        refusals: Refusals,
    }

    impl Case {
        fn new() -> Self {
            let board = Board::default();
            let refusals = board.reader();
            Self { board, refusals }
        }

        fn standing(&self, name: &str) -> Standing {
            Standing::new(name.parse().unwrap(), true, None, self.board.clone())
        }

        fn token(&self, generation: u64) -> Standing {
            let name = "openai".parse().unwrap();
            Standing::new(name, true, Some(generation), self.board.clone())
        }
    }

    /// What is due at this moment.
    async fn next(reports: &mut Reports<'_>) -> Option<Report> {
        tokio::select! {
            biased;
            report = reports.next() => Some(report),
            () = std::future::ready(()) => None,
        }
    }

    async fn taken(reports: &mut Reports<'_>) -> (String, Option<u16>) {
        let report = next(reports).await.expect("a report");
        reports.answered(&report, Ok(()));
        (report.collection, report.said.status)
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_is_reported_once_for_each_bundle() {
        let mut case = Case::new();
        let standing = case.standing("openai");
        standing.answered(401);
        let mut reports = Reports::new(&mut case.refusals);
        assert_eq!(next(&mut reports).await, None, "there is no bundle");
        reports.begin("s", "1");
        assert_eq!(taken(&mut reports).await, ("openai".to_owned(), Some(401)));
        standing.answered(401);
        tokio::time::advance(PAUSE * 2).await;
        assert_eq!(next(&mut reports).await, None);
        reports.begin("s", "2");
        let again = next(&mut reports).await.unwrap();
        assert_eq!((again.stream.as_str(), again.revision.as_str()), ("s", "2"));
    }

    #[tokio::test(start_paused = true)]
    async fn every_collection_has_its_own_reports() {
        let mut case = Case::new();
        case.standing("openai").answered(401);
        case.standing("stripe").certificate_refused();
        let mut reports = Reports::new(&mut case.refusals);
        reports.begin("s", "1");
        let mut both = [taken(&mut reports).await, taken(&mut reports).await];
        both.sort();
        assert_eq!(
            both,
            [
                ("openai".to_owned(), Some(401)),
                ("stripe".to_owned(), None)
            ]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_recovery_is_reported_where_the_refusal_was() {
        let mut case = Case::new();
        let standing = case.standing("openai");
        standing.answered(401);
        let mut reports = Reports::new(&mut case.refusals);
        reports.begin("s", "1");
        taken(&mut reports).await;
        tokio::time::advance(Duration::from_secs(300)).await;
        standing.answered(200);
        assert_eq!(taken(&mut reports).await, ("openai".to_owned(), Some(200)));
        reports.begin("s", "2");
        assert_eq!(
            next(&mut reports).await,
            None,
            "nobody was told of a refusal"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn each_token_that_is_refused_is_news() {
        let mut case = Case::new();
        let first = case.token(7);
        first.token_refused(403);
        let mut reports = Reports::new(&mut case.refusals);
        reports.begin("s", "1");
        let report = next(&mut reports).await.unwrap();
        assert_eq!(
            (report.said.status, report.said.generation),
            (Some(403), Some(7))
        );
        reports.answered(&report, Ok(()));
        first.end();
        tokio::time::advance(PAUSE).await;
        assert_eq!(next(&mut reports).await, None);
        let second = Standing::new("openai".parse().unwrap(), true, Some(8), case.board.clone());
        second.token_refused(403);
        assert_eq!(next(&mut reports).await.unwrap().said.generation, Some(8));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_not_taken_is_tried_again_after_a_while() {
        let mut case = Case::new();
        case.standing("openai").answered(401);
        let mut reports = Reports::new(&mut case.refusals);
        reports.begin("s", "1");
        let report = next(&mut reports).await.unwrap();
        let busy = FeedError::Refused(StatusCode::SERVICE_UNAVAILABLE);
        reports.answered(&report, Err(busy));
        assert_eq!(next(&mut reports).await, None);
        let began = Instant::now();
        assert_eq!(reports.next().await, report);
        assert_eq!(began.elapsed(), PAUSE);
    }

    #[tokio::test(start_paused = true)]
    async fn an_operator_that_does_not_know_reports_gets_no_more() {
        let mut case = Case::new();
        case.standing("openai").answered(401);
        let mut reports = Reports::new(&mut case.refusals);
        reports.begin("s", "1");
        let report = next(&mut reports).await.unwrap();
        let unknown = FeedError::Refused(StatusCode::NOT_FOUND);
        reports.answered(&report, Err(unknown));
        reports.begin("s", "2");
        tokio::time::advance(PAUSE * 2).await;
        assert_eq!(next(&mut reports).await, None);
    }
}
