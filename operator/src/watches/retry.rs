//! How long a watch waits before it is tried again.

use std::pin::Pin;
use std::time::Duration;

use futures::stream::{Stream, unfold};
use futures::{StreamExt as _, TryStreamExt as _};
use kube::runtime::watcher::{self, Event};

const FIRST: Duration = Duration::from_millis(500);
/// Short, because a right that was granted and an API server that came back
/// should be noticed while someone is looking.
const LONGEST: Duration = Duration::from_secs(5);

/// Doubles from half a second to five.
#[derive(Debug)]
struct Retry(Duration);

impl Default for Retry {
    fn default() -> Self {
        Self(FIRST)
    }
}

impl Retry {
    /// How long to wait after what the watch just said. An attempt begins with
    /// [`Event::Init`], before it can fail: that is no success yet.
    fn after<K>(&mut self, event: &watcher::Result<Event<K>>) -> Duration {
        match event {
            Err(_) => {
                let wait = self.0;
                self.0 = LONGEST.min(wait * 2);
                wait
            }
            Ok(Event::Init) => Duration::ZERO,
            Ok(Event::InitApply(_) | Event::InitDone | Event::Apply(_) | Event::Delete(_)) => {
                self.0 = FIRST;
                Duration::ZERO
            }
        }
    }
}

/// A watch that waits after each error, and longer after several in a row.
///
/// The library's own backoff would begin anew at each attempt, since it takes
/// [`Event::Init`] for a success.
pub fn patient<K: Send + 'static>(
    events: impl Stream<Item = watcher::Result<Event<K>>> + Send + 'static,
) -> Pin<Box<dyn Stream<Item = watcher::Result<Event<K>>> + Send>> {
    let start = (Box::pin(events), Retry::default(), Duration::ZERO);
    unfold(start, |(mut events, mut retry, wait)| async move {
        tokio::time::sleep(wait).await;
        let event = events.try_next().await.transpose()?;
        let wait = retry.after(&event);
        Some((event, (events, retry, wait)))
    })
    .boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The waits in milliseconds after these events.
    fn waits(events: &[watcher::Result<Event<()>>]) -> Vec<u128> {
        let mut retry = Retry::default();
        events
            .iter()
            .map(|event| retry.after(event).as_millis())
            .collect()
    }

    fn failure() -> watcher::Result<Event<()>> {
        Err(watcher::Error::NoResourceVersion)
    }

    #[test]
    fn waits_double_and_stay_short_although_each_attempt_begins_well() {
        let attempts: Vec<_> = (0..5).flat_map(|_| [Ok(Event::Init), failure()]).collect();
        assert_eq!(
            waits(&attempts),
            [0, 500, 0, 1000, 0, 2000, 0, 4000, 0, 5000]
        );
    }

    #[test]
    fn a_watch_that_worked_starts_over() {
        let events = [failure(), failure(), Ok(Event::InitDone), failure()];
        assert_eq!(waits(&events), [500, 1000, 0, 500]);
    }
}
