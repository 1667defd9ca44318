//! The replica that leads makes the calls.

use std::sync::Arc;
use std::time::Duration;

use credence_broker::{Clock, Trial};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tracing::debug;

use super::schedule::{Schedule, Subject};
use super::{Outcome, Verified};
use crate::catalogue::{Catalogue, Verifiable};
use crate::random;

/// The longest time until the head of an answer is here.
pub const TIMEOUT: Duration = Duration::from_secs(30);
/// Calls that are made at the same time.
const AT_ONCE: usize = 8;

/// Makes the calls that are due.
pub struct Verifier {
    catalogue: Arc<Catalogue>,
    trial: Trial,
    clock: Clock,
    leader: watch::Receiver<bool>,
}

/// The calls of a replica that leads.
struct Calls {
    schedule: Schedule,
    /// Dropping it ends them: nobody wants to know any more.
    under_way: JoinSet<(Subject, Verified)>,
}

impl Verifier {
    /// Makes no call yet.
    pub const fn new(
        catalogue: Arc<Catalogue>,
        trial: Trial,
        clock: Clock,
        leader: watch::Receiver<bool>,
    ) -> Self {
        Self {
            catalogue,
            trial,
            clock,
            leader,
        }
    }

    /// Makes calls while this replica leads, for ever.
    pub async fn run(mut self) {
        let mut changes = self.catalogue.changes();
        let mut calls = None;
        loop {
            let leads = *self.leader.borrow_and_update();
            changes.borrow_and_update();
            if !leads {
                // Who leads next knows it better.
                calls = None;
                self.catalogue.retain_verified(&[]);
                match self.leader.changed().await {
                    Ok(()) => continue,
                    Err(_) => return,
                }
            }
            let calls = calls.get_or_insert_with(|| Calls {
                schedule: Schedule::new(self.clock.now()),
                under_way: JoinSet::new(),
            });
            let wait = self.begin(calls);
            tokio::select! {
                changed = self.leader.changed() => if changed.is_err() { return },
                changed = changes.changed() => if changed.is_err() { return },
                Some(ended) = calls.under_way.join_next() => self.end(calls, ended),
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Begins what is due, and says how long nothing else will be.
    fn begin(&self, calls: &mut Calls) -> Duration {
        let now = self.clock.now();
        let wanted = self.catalogue.verifiable();
        self.catalogue.retain_verified(&wanted);
        let tracked = wanted.iter().map(|wanted| {
            let inputs = &wanted.resolution().inputs;
            (subject(wanted), inputs, wanted.verification.interval)
        });
        calls.schedule.follow(tracked, now, random::up_to);
        let find = |of: &Subject| wanted.iter().find(|wanted| subject(wanted) == *of);
        let free = AT_ONCE - calls.under_way.len();
        let can = |of: &Subject| find(of).is_some_and(|wanted| wanted.route(now).is_some());
        for begun in calls.schedule.begin(free, can, now, random::up_to) {
            if let Some(wanted) = find(&begun) {
                calls.under_way.spawn(self.call(begun, wanted.clone()));
            }
        }
        let next = calls.schedule.next(now);
        let next = next.map(|next| next.duration_since(now));
        next.and_then(|wait| Duration::try_from(wait).ok())
            .map_or(LONGEST_WAIT, |wait| wait.min(LONGEST_WAIT))
    }

    fn call(
        &self,
        begun: Subject,
        wanted: Verifiable,
    ) -> impl Future<Output = (Subject, Verified)> + Send + use<> {
        let (trial, clock) = (self.trial.clone(), self.clock.clone());
        async move {
            let now = clock.now();
            let outcome = match wanted.route(now) {
                Some(route) => trial.status(&route, &wanted.verification, now).await.into(),
                // It ended in this very moment.
                None => Outcome::NoAnswer("there is no token".to_owned()),
            };
            let verified = Verified {
                inputs: wanted.resolution().inputs.clone(),
                outcome,
            };
            (begun, verified)
        }
    }

    fn end(&self, calls: &mut Calls, ended: Result<(Subject, Verified), JoinError>) {
        match ended {
            Ok((subject, verified)) => {
                debug!(
                    namespace = subject.of.namespace,
                    collection = %subject.of.name,
                    environment = %subject.environment,
                    outcome = ?verified.outcome,
                    "a credential was verified"
                );
                calls.schedule.end(&subject);
                self.catalogue.set_verified(&subject.of, verified);
            }
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}

/// A machine may sleep meanwhile, and timers with it.
const LONGEST_WAIT: Duration = Duration::from_mins(10);

fn subject(verifiable: &Verifiable) -> Subject {
    Subject {
        of: verifiable.of.clone(),
        environment: verifiable.environment,
    }
}
