//! One timer a connection, moved only when it has to be.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// What a limit can be at most: a moment must be one that the clock has.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// A moment by which something must have happened.
///
/// Putting it off, which every request does, is a store: the timer fires at
/// the old time and is then set anew. Only bringing it forward moves the timer.
#[derive(Debug)]
pub(crate) struct Deadline {
    at: Instant,
    timer: Pin<Box<Sleep>>,
}

impl Deadline {
    /// So long from now.
    pub(crate) fn after(limit: Duration) -> Self {
        let at = Instant::now() + limit;
        Self {
            at,
            timer: Box::pin(tokio::time::sleep_until(at)),
        }
    }

    /// So long from now, whatever it was before. Returns what now is.
    pub(crate) fn set(&mut self, limit: Duration) -> Instant {
        let now = Instant::now();
        self.at = now + limit.min(LONGEST);
        if self.at < self.timer.deadline() {
            self.timer.as_mut().reset(self.at);
        }
        now
    }

    /// Ready once the moment has come.
    pub(crate) fn poll_passed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.timer.as_mut().poll(cx));
            if self.timer.deadline() >= self.at {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(self.at);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_deadline_passes_at_the_time_that_was_set_last() {
        let began = Instant::now();
        let mut deadline = Deadline::after(Duration::from_secs(10));
        deadline.set(Duration::from_secs(600));
        deadline.set(Duration::from_secs(300));
        poll_fn(|cx| deadline.poll_passed(cx)).await;
        assert_eq!(began.elapsed().as_secs(), 300);
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_can_be_brought_forward() {
        let began = Instant::now();
        let mut deadline = Deadline::after(Duration::from_secs(300));
        deadline.set(Duration::from_secs(10));
        poll_fn(|cx| deadline.poll_passed(cx)).await;
        assert_eq!(began.elapsed().as_secs(), 10);
    }
}
