//! Reading a stream of events until it ends.

use std::collections::BTreeMap;
use std::future::{Future, pending};
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use credence_core::wire::{Ack, Event, Report};
use http_body_util::BodyExt;
use hyper::body::Body;
use tokio::time::{Instant, sleep_until};

use super::lines::Lines;
use super::reports::Reports;
use super::{FeedError, Update};

/// Three pings: a stream on which no event came for so long leads nowhere.
const SILENCE: Duration = Duration::from_secs(45);

/// How late an operator may be with ending a stream before we do.
const OVERDUE: Duration = Duration::from_secs(60);

/// How a stream ended without a fault.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// The operator closed it: of age, or moving to another replica.
    ByOperator,
    /// It is older than the operator said it would get.
    OfAge,
}

/// What goes the other way, on requests of its own.
pub(super) struct Outgoing<'a, A, R> {
    /// Sends an acknowledgement.
    pub(super) acknowledge: A,
    /// Sends a report.
    pub(super) report: R,
    /// What there is to report.
    pub(super) reports: Reports<'a>,
}

/// Reads events, applies each bundle at once, and acknowledges it beside the
/// reading: a newer bundle replaces an acknowledgement that is still on its
/// way, and one that failed is sent again with the next event. Reports are
/// made beside both.
///
/// # Errors
/// [`FeedError`]; what was applied before stays.
pub(super) async fn read<B, F, G>(
    mut body: B,
    operator: Outgoing<'_, impl FnMut(&Ack) -> F, impl FnMut(&Report) -> G>,
    apply: &mut impl FnMut(Update) -> BTreeMap<String, String>,
) -> Result<Ended, FeedError>
where
    B: Body<Data = Bytes, Error = hyper::Error> + Unpin,
    F: Future<Output = Result<(), FeedError>>,
    G: Future<Output = Result<(), FeedError>>,
{
    let Outgoing {
        mut acknowledge,
        report: mut send,
        mut reports,
    } = operator;
    let mut reporting: Option<(Report, Pin<Box<G>>)> = None;
    let mut lines = Lines::default();
    let mut stream = Stream::default();
    let mut silence_ends = Instant::now() + SILENCE;
    let mut on_its_way: Option<Pin<Box<F>>> = None;
    loop {
        let deadline = stream
            .of_age
            .map_or(silence_ends, |of_age| of_age.min(silence_ends));
        tokio::select! {
            frame = body.frame() => {
                let Some(frame) = frame else {
                    return stream.end();
                };
                // Trailers say nothing here.
                let piece = frame?.into_data().unwrap_or_default();
                let mut event = Heard::Nothing;
                lines.push(&piece, |line| {
                    event = event.max(stream.event(Event::decode(line)?, apply)?);
                    Ok(())
                })?;
                if event > Heard::Nothing {
                    silence_ends = Instant::now() + SILENCE;
                }
                if event == Heard::Bundle {
                    on_its_way = None;
                    reporting = None;
                    if let Some(ack) = &stream.owed {
                        reports.begin(&ack.stream, &ack.revision);
                    }
                }
                if let (None, Some(ack), true) = (&on_its_way, &stream.owed, event > Heard::Nothing) {
                    on_its_way = Some(Box::pin(acknowledge(ack)));
                }
            }
            result = settled(&mut on_its_way) => {
                on_its_way = None;
                match result {
                    Ok(()) => stream.owed = None,
                    Err(error) => tracing::warn!(reason = %error, "an acknowledgement failed"),
                }
            }
            report = reports.next(), if reporting.is_none() => {
                let sent = Box::pin(send(&report));
                reporting = Some((report, sent));
            }
            (report, result) = reported(&mut reporting) => {
                reporting = None;
                reports.answered(&report, result);
            }
            () = sleep_until(deadline) => {
                return if deadline < silence_ends {
                    Ok(Ended::OfAge)
                } else {
                    Err(FeedError::Silent(SILENCE))
                };
            }
        }
    }
}

async fn settled<F: Future>(future: &mut Option<Pin<Box<F>>>) -> F::Output {
    match future {
        Some(future) => future.await,
        None => pending().await,
    }
}

async fn reported<G: Future>(sent: &mut Option<(Report, Pin<Box<G>>)>) -> (Report, G::Output) {
    match sent {
        Some((report, answer)) => (report.clone(), answer.await),
        None => pending().await,
    }
}

/// What a piece of the stream held, the most important last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Heard {
    Nothing,
    Event,
    Bundle,
}

/// What is known of a stream.
#[derive(Default)]
struct Stream {
    /// From its hello.
    name: Option<String>,
    of_age: Option<Instant>,
    /// The acknowledgement that the operator has not taken yet.
    owed: Option<Ack>,
    had_bundle: bool,
}

impl Stream {
    fn event(
        &mut self,
        event: Event,
        apply: &mut impl FnMut(Update) -> BTreeMap<String, String>,
    ) -> Result<Heard, FeedError> {
        match event {
            Event::Hello {
                stream,
                max_age_seconds,
            } => {
                let longest = Duration::from_secs(max_age_seconds.into()) + OVERDUE;
                self.of_age = Some(Instant::now() + longest);
                self.name = Some(stream);
            }
            Event::Bundle(bundle) => {
                let stream = self.name.clone().ok_or(FeedError::NoHello)?;
                let revision = bundle.revision.clone();
                tracing::info!(
                    revision,
                    environment = %bundle.environment,
                    collections = bundle.collections.len(),
                    "applying a bundle"
                );
                let refused = warned(apply(Update::Bundle(bundle)));
                self.had_bundle = true;
                self.owed = Some(Ack {
                    stream,
                    revision,
                    refused,
                });
                return Ok(Heard::Bundle);
            }
            Event::Tokens(tokens) if self.had_bundle => {
                tracing::debug!(collections = tokens.len(), "applying tokens");
                warned(apply(Update::Tokens(tokens)));
            }
            // Tokens without collections are of no use.
            Event::Tokens(_) | Event::Ping | Event::Unknown => {}
        }
        Ok(Heard::Event)
    }

    fn end(self) -> Result<Ended, FeedError> {
        if self.had_bundle {
            Ok(Ended::ByOperator)
        } else {
            Err(FeedError::NoBundle)
        }
    }
}

fn warned(refused: BTreeMap<String, String>) -> BTreeMap<String, String> {
    for (collection, reason) in &refused {
        tracing::warn!(collection, reason, "a collection cannot be served");
    }
    refused
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::future::{Ready, ready};

    use credence_core::Environment;
    use credence_core::bundle::{Bundle, TokenState, Withheld};

    use super::*;
    use crate::feed::tests::pieces::{Pieces, pieces};
    use crate::standing::Board;

    fn hello(max_age_seconds: u32) -> Event {
        Event::Hello {
            stream: "s".to_owned(),
            max_age_seconds,
        }
    }

    fn bundle(revision: &str) -> Event {
        Event::Bundle(Bundle {
            revision: revision.to_owned(),
            environment: Environment::Live,
            collections: BTreeMap::new(),
            tokens: BTreeMap::new(),
        })
    }

    fn withheld() -> TokenState {
        TokenState::Withheld(Withheld::UNKNOWN)
    }

    fn nothing_refused(_: Update) -> BTreeMap<String, String> {
        BTreeMap::new()
    }

    fn taken(_: &Ack) -> Ready<Result<(), FeedError>> {
        ready(Ok(()))
    }

    /// Reads without anything to report.
    async fn read<F: Future<Output = Result<(), FeedError>>>(
        body: Pieces,
        acknowledge: impl FnMut(&Ack) -> F,
        apply: &mut impl FnMut(Update) -> BTreeMap<String, String>,
    ) -> Result<Ended, FeedError> {
        let mut refusals = Board::default().reader();
        let operator = Outgoing {
            acknowledge,
            report: |_: &Report| ready(Ok(())),
            reports: Reports::new(&mut refusals),
        };
        super::read(body, operator, apply).await
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_the_stream_and_pings_do_not() {
        let (events, body) = pieces();
        let began = Instant::now();
        let pings = async {
            events.event(&hello(3600));
            events.event(&bundle("1"));
            for _ in 0..10 {
                tokio::time::sleep(Duration::from_secs(30)).await;
                events.event(&Event::Ping);
            }
            // Bytes that never become an event are silence, too.
            events.bytes(b"{");
            pending::<()>().await;
        };
        let mut apply = nothing_refused;
        let ended = tokio::select! {
            ended = read(body, taken, &mut apply) => ended,
            () = pings => unreachable!(),
        };
        assert!(matches!(ended, Err(FeedError::Silent(_))));
        assert_eq!(began.elapsed().as_secs(), 300 + SILENCE.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_outlives_its_age_is_ended() {
        let (events, body) = pieces();
        let pings = async {
            events.event(&hello(100));
            loop {
                tokio::time::sleep(Duration::from_secs(15)).await;
                events.event(&Event::Ping);
            }
        };
        let began = Instant::now();
        let mut apply = nothing_refused;
        let ended = tokio::select! {
            ended = read(body, taken, &mut apply) => ended,
            () = pings => unreachable!(),
        };
        assert_eq!(ended.unwrap(), Ended::OfAge);
        assert_eq!(began.elapsed().as_secs(), 160);
    }

    #[tokio::test(start_paused = true)]
    async fn an_acknowledgement_that_failed_is_sent_again_with_the_next_event() {
        let (events, body) = pieces();
        events.event(&hello(3600));
        events.event(&bundle("1"));
        let sent = Cell::new(0);
        let acknowledge = |_: &Ack| {
            sent.set(sent.get() + 1);
            let result = match sent.get() {
                1 => Err(FeedError::NoAnswer(SILENCE)),
                _ => Ok(()),
            };
            async { result }
        };
        let pings = async {
            for _ in 0..3 {
                tokio::time::sleep(Duration::from_secs(15)).await;
                events.event(&Event::Ping);
            }
            pending::<()>().await;
        };
        let mut apply = nothing_refused;
        tokio::select! {
            ended = read(body, acknowledge, &mut apply) => assert!(ended.is_err()),
            () = pings => unreachable!(),
        }
        assert_eq!(sent.get(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_newer_bundle_does_not_wait_for_an_acknowledgement() {
        let (events, body) = pieces();
        events.event(&hello(3600));
        events.event(&bundle("1"));
        let acknowledged = RefCell::new(Vec::new());
        let acknowledge = |ack: &Ack| {
            acknowledged.borrow_mut().push(ack.revision.clone());
            let first = ack.revision == "1";
            async move {
                if first {
                    pending::<()>().await;
                }
                Ok(())
            }
        };
        let second = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            events.event(&bundle("2"));
            pending::<()>().await;
        };
        let applied = RefCell::new(Vec::new());
        let mut apply = |update: Update| {
            let Update::Bundle(bundle) = update else {
                panic!("no tokens were sent");
            };
            applied.borrow_mut().push(bundle.revision);
            BTreeMap::new()
        };
        tokio::select! {
            ended = read(body, acknowledge, &mut apply) => assert!(ended.is_err()),
            () = second => unreachable!(),
        }
        assert_eq!(*applied.borrow(), ["1", "2"]);
        assert_eq!(*acknowledged.borrow(), ["1", "2"]);
    }

    #[tokio::test(start_paused = true)]
    async fn tokens_are_applied_after_a_bundle_and_are_not_acknowledged() {
        let (events, body) = pieces();
        let tokens = || Event::Tokens([("api".parse().unwrap(), withheld())].into());
        events.event(&hello(60));
        events.event(&tokens());
        events.event(&bundle("1"));
        events.event(&tokens());
        drop(events);
        let mut applied = Vec::new();
        let acknowledged = Cell::new(0);
        let acknowledge = |_: &Ack| {
            acknowledged.set(acknowledged.get() + 1);
            ready(Ok(()))
        };
        let mut apply = |update: Update| {
            applied.push(match update {
                Update::Bundle(_) => "bundle",
                Update::Tokens(_) => "tokens",
            });
            BTreeMap::new()
        };
        let ended = read(body, acknowledge, &mut apply).await;
        assert!(matches!(ended, Ok(Ended::ByOperator)));
        assert_eq!(applied, ["bundle", "tokens"]);
        assert_eq!(acknowledged.get(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_without_a_hello_or_a_bundle_is_an_error() {
        let (events, body) = pieces();
        events.event(&bundle("1"));
        drop(events);
        let mut apply = |_: Update| panic!("applied a bundle of a nameless stream");
        let ended = read(body, taken, &mut apply).await;
        assert!(matches!(ended, Err(FeedError::NoHello)));

        let (events, body) = pieces();
        events.event(&hello(60));
        drop(events);
        let ended = read(body, taken, &mut apply).await;
        assert!(matches!(ended, Err(FeedError::NoBundle)));
    }
}
