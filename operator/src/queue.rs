//! Collections that must be planned again.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use futures::Stream;
use futures::stream::unfold;
use tokio::sync::Notify;

/// Namespace and name of a collection.
pub type CollectionKey = (String, String);

/// A set that is waited for: something pushed twice before it is taken is
/// taken once, so it never holds more than there are collections.
#[derive(Clone, Debug, Default)]
pub struct Queue(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    waiting: Mutex<BTreeSet<CollectionKey>>,
    pushed: Notify,
}

impl Queue {
    /// Adds a collection.
    pub fn push(&self, namespace: &str, name: &str) {
        let key = (namespace.to_owned(), name.to_owned());
        self.waiting().insert(key);
        self.0.pushed.notify_one();
    }

    /// Takes what is pushed, for ever. One stream at a time.
    pub fn stream(&self) -> impl Stream<Item = CollectionKey> + Send + use<> {
        unfold(self.clone(), |queue| async move {
            loop {
                let first = queue.waiting().pop_first();
                match first {
                    Some(key) => return Some((key, queue)),
                    None => queue.0.pushed.notified().await,
                }
            }
        })
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, BTreeSet<CollectionKey>> {
        self.0
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures::{FutureExt as _, StreamExt as _};

    use super::*;

    #[test]
    fn what_is_pushed_twice_is_taken_once() {
        let queue = Queue::default();
        queue.push("shop", "openai");
        queue.push("shop", "openai");
        queue.push("shop", "stripe");
        let mut stream = pin!(queue.stream());
        let mut next = || stream.next().now_or_never().flatten().map(|(_, name)| name);
        assert_eq!(next().as_deref(), Some("openai"));
        assert_eq!(next().as_deref(), Some("stripe"));
        assert_eq!(next(), None);
        queue.push("shop", "openai");
        assert_eq!(next().as_deref(), Some("openai"));
    }
}
