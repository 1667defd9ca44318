//! What sidecars report of their credentials.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use credence_core::reception::{Reception, Said};

use super::refusal::Refusal;
use crate::collection_key::CollectionKey;

/// Between two reports of one stream that say something different about one
/// credential. A sidecar takes much longer to change its mind; more often,
/// somebody would make us write.
const LEAST: Duration = Duration::from_secs(10);

/// What one stream has reported, of the version of each collection that it was
/// sent last.
#[derive(Debug, Default)]
pub(super) struct Reports {
    reported: BTreeMap<CollectionKey, Reported>,
}

#[derive(Debug)]
struct Reported {
    /// Of the collection.
    revision: String,
    said: Said,
    at: Instant,
}

impl Reports {
    /// Takes note of a report on this version of a collection; says whether it
    /// was news.
    ///
    /// # Errors
    /// A report that says nothing, or comes too soon after another.
    pub(super) fn take(
        &mut self,
        key: &CollectionKey,
        revision: &str,
        said: Said,
        now: Instant,
    ) -> Result<bool, Refusal> {
        if said.reception().is_none() {
            return Err(Refusal::BadReport);
        }
        let before = self
            .reported
            .get(key)
            .filter(|before| before.revision == revision);
        if let Some(before) = before {
            if before.said == said {
                return Ok(false);
            }
            if now.duration_since(before.at) < LEAST {
                return Err(Refusal::TooSoon);
            }
        }
        let reported = Reported {
            revision: revision.to_owned(),
            said,
            at: now,
        };
        self.reported.insert(key.clone(), reported);
        Ok(true)
    }

    /// How the provider refuses this version's credential, if it does.
    pub(super) fn refusal(&self, key: &CollectionKey, revision: &str) -> Option<Said> {
        let reported = self.reported.get(key)?;
        let refused = reported.said.reception() == Some(Reception::Refused);
        (refused && reported.revision == revision).then_some(reported.said)
    }

    /// Forgets what was said of versions that are not in use any more.
    pub(super) fn keep(&mut self, revisions: &BTreeMap<CollectionKey, String>) {
        self.reported
            .retain(|key, reported| revisions.get(key) == Some(&reported.revision));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(status: u16) -> Said {
        Said {
            status: Some(status),
            worked: false,
            generation: None,
            named: false,
        }
    }

    fn openai() -> CollectionKey {
        CollectionKey::of_cluster("openai".parse().unwrap())
    }

    #[test]
    fn a_refusal_lasts_until_the_version_changes_or_a_call_succeeds() {
        let (mut reports, now) = (Reports::default(), Instant::now());
        assert_eq!(reports.take(&openai(), "1", said(401), now), Ok(true));
        assert_eq!(reports.refusal(&openai(), "1"), Some(said(401)));
        assert_eq!(reports.refusal(&openai(), "2"), None);
        reports.keep(&BTreeMap::from([(openai(), "1".to_owned())]));
        assert_eq!(reports.refusal(&openai(), "1"), Some(said(401)));
        assert_eq!(
            reports.take(&openai(), "1", said(200), now + LEAST),
            Ok(true)
        );
        assert_eq!(reports.refusal(&openai(), "1"), None);
        reports.keep(&BTreeMap::from([(openai(), "2".to_owned())]));
        assert!(reports.reported.is_empty());
    }

    #[test]
    fn who_changes_his_mind_too_often_is_not_heard() {
        let (mut reports, now) = (Reports::default(), Instant::now());
        assert_eq!(reports.take(&openai(), "1", said(401), now), Ok(true));
        assert_eq!(reports.take(&openai(), "1", said(401), now), Ok(false));
        let again = reports.take(&openai(), "1", said(200), now);
        assert_eq!(again, Err(Refusal::TooSoon));
        assert_eq!(
            reports.take(&openai(), "2", said(401), now),
            Ok(true),
            "another version is another credential"
        );
    }

    #[test]
    fn a_status_that_is_not_about_the_credential_is_no_report() {
        let mut reports = Reports::default();
        for status in [0, 100, 302, 403, 404, 500, 999] {
            let taken = reports.take(&openai(), "1", said(status), Instant::now());
            assert_eq!(taken, Err(Refusal::BadReport), "{status}");
        }
        let named = Said {
            named: true,
            ..said(403)
        };
        let taken = reports.take(&openai(), "1", named, Instant::now());
        assert_eq!(taken, Ok(true));
        assert_eq!(reports.refusal(&openai(), "1"), Some(named));
    }
}
