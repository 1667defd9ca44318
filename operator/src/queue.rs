//! Collections that must be planned again.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use futures::Stream;
use futures::stream::unfold;
use tokio::sync::Notify;

use crate::collection_key::CollectionKey;

/// Two sets, one of each kind, that are waited for: something pushed twice
/// before it is taken is taken once, so they never hold more than there are
/// collections.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    of_namespaces: Arc<Waiting>,
    of_cluster: Arc<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    keys: Mutex<BTreeSet<CollectionKey>>,
    pushed: Notify,
}

impl Queue {
    /// Adds a collection.
    pub fn push(&self, key: CollectionKey) {
        let waiting = self.of_kind(key.namespace.is_none());
        waiting.lock().insert(key);
        waiting.pushed.notify_one();
    }

    /// Takes what is pushed of one kind, for ever. One stream a kind at a time.
    pub fn stream(&self, of_cluster: bool) -> impl Stream<Item = CollectionKey> + Send + use<> {
        unfold(self.of_kind(of_cluster).clone(), |waiting| async move {
            loop {
                let first = waiting.lock().pop_first();
                match first {
                    Some(key) => return Some((key, waiting)),
                    None => waiting.pushed.notified().await,
                }
            }
        })
    }

    const fn of_kind(&self, of_cluster: bool) -> &Arc<Waiting> {
        match of_cluster {
            true => &self.of_cluster,
            false => &self.of_namespaces,
        }
    }
}

impl Waiting {
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeSet<CollectionKey>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
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
        let push = |name: &str| {
            queue.push(CollectionKey::in_namespace("shop", name.parse().unwrap()));
        };
        push("openai");
        push("openai");
        push("stripe");
        let mut stream = pin!(queue.stream(false));
        let mut next = || stream.next().now_or_never().flatten();
        let name = |key: Option<CollectionKey>| key.map(|key| key.name.to_string());
        assert_eq!(name(next()).as_deref(), Some("openai"));
        assert_eq!(name(next()).as_deref(), Some("stripe"));
        assert_eq!(next(), None);
        push("openai");
        assert_eq!(name(next()).as_deref(), Some("openai"));
    }

    #[test]
    fn each_kind_has_a_line_of_its_own() {
        let queue = Queue::default();
        let key = CollectionKey::of_cluster("openai".parse().unwrap());
        queue.push(key.clone());
        assert_eq!(pin!(queue.stream(false)).next().now_or_never(), None);
        let next = pin!(queue.stream(true)).next().now_or_never();
        assert_eq!(next, Some(Some(key)));
    }
}
