//! What was told just now.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::Happening;

/// The same about the same object is told once in this time.
const AGAIN: Duration = Duration::from_secs(60);
/// Happenings that are remembered. When there are more, somebody makes them.
const MOST: usize = 1024;

/// What was told within the last minute.
#[derive(Debug, Default)]
pub(super) struct Recent(HashMap<String, Instant>);

impl Recent {
    /// Whether it should be told now, and from now on not for a while.
    pub(super) fn is_news(&mut self, happening: &Happening, now: Instant) -> bool {
        self.0.retain(|_, told| now.duration_since(*told) < AGAIN);
        let key = key(happening);
        if self.0.len() >= MOST || self.0.contains_key(&key) {
            return false;
        }
        self.0.insert(key, now);
        true
    }
}

fn key(happening: &Happening) -> String {
    let about = &happening.regarding;
    let part = |part: &Option<String>| part.clone().unwrap_or_default();
    [
        part(&about.kind),
        part(&about.namespace),
        part(&about.name),
        part(&about.uid),
        happening.reason.clone().into_owned(),
        happening.note.clone(),
    ]
    .join("\n")
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ObjectReference;

    use super::*;
    use crate::events::Severity;

    fn happening(name: &str, note: &str) -> Happening {
        Happening {
            regarding: ObjectReference {
                name: Some(name.to_owned()),
                ..ObjectReference::default()
            },
            severity: Severity::Normal,
            reason: "Ready".into(),
            action: "Plan",
            note: note.to_owned(),
        }
    }

    #[test]
    fn the_same_is_told_once_in_a_while() {
        let (mut recent, now) = (Recent::default(), Instant::now());
        assert!(recent.is_news(&happening("a", "1"), now));
        assert!(!recent.is_news(&happening("a", "1"), now));
        assert!(recent.is_news(&happening("a", "2"), now));
        assert!(recent.is_news(&happening("b", "1"), now));
        assert!(recent.is_news(&happening("a", "1"), now + AGAIN));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (mut recent, now) = (Recent::default(), Instant::now());
        let told = (0..MOST * 2)
            .filter(|index| recent.is_news(&happening(&index.to_string(), ""), now))
            .count();
        assert_eq!(told, MOST);
        assert!(recent.is_news(&happening("later", ""), now + AGAIN));
    }
}
