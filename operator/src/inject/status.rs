//! The annotation [`names::STATUS`](credence_core::names::STATUS): what was
//! injected.
//!
//! Whoever writes a pod can write it too. It tells people and metrics which
//! sidecars are of an earlier time, and decides nothing.

use credence_core::Environment;
use serde::{Deserialize, Serialize};

use super::{EgressProxy, InjectSettings, sidecar};
use crate::digest::sha256_hex;

/// Enough of the digest to tell templates apart.
const TEMPLATE_DIGITS: usize = 16;

/// The annotation's value, as JSON. What is not known of it is ignored, and
/// what is missing is empty: it may be of another version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    /// `live` or `development`, at the time of the injection.
    pub environment: String,
    /// Hexadecimal SHA-256 of the DER root that the sidecar asks the feed for.
    pub root: String,
    /// Which sidecar was injected: see [`template`].
    pub template: String,
    /// Version of the operator that injected it.
    pub version: String,
}

impl Status {
    pub(super) fn new(environment: Environment, settings: &InjectSettings) -> Self {
        Self {
            environment: environment.as_str().to_owned(),
            root: settings.root_sha256.clone(),
            template: template(&settings.image, &settings.feed, settings.egress.as_ref()),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// Reads an annotation; none if it is no such status.
    pub fn parse(annotation: &str) -> Option<Self> {
        serde_json::from_str(annotation).ok()
    }
}

/// A digest of the sidecar that is injected with these settings, apart from
/// what pods differ in and from the roots, which have a field of their own. A
/// pod whose status has another carries an outdated sidecar.
pub fn template(image: &str, feed: &str, egress: Option<&EgressProxy>) -> String {
    let settings = InjectSettings {
        image: image.to_owned(),
        feed: feed.to_owned(),
        ca: "".into(),
        other_cas: Vec::new(),
        root_sha256: String::new(),
        egress: egress.cloned(),
    };
    let mut digest = sha256_hex(&sidecar::template(&settings));
    digest.truncate(TEMPLATE_DIGITS);
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> InjectSettings {
        InjectSettings {
            image: "sidecar:1".to_owned(),
            feed: "feed:8444".to_owned(),
            ca: "PEM".into(),
            other_cas: Vec::new(),
            root_sha256: "00".to_owned(),
            egress: None,
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let status = Status::new(Environment::Live, &settings());
        let text = serde_json::to_string(&status).unwrap();
        assert_eq!(Status::parse(&text), Some(status));
    }

    #[test]
    fn another_versions_status_is_read_as_far_as_it_goes() {
        let read = Status::parse(r#"{"version":"9","news":[1]}"#).unwrap();
        assert_eq!((read.version.as_str(), read.template.as_str()), ("9", ""));
        for no_status in ["", "injected", r#"{"version":1}"#] {
            assert_eq!(Status::parse(no_status), None, "{no_status}");
        }
    }

    #[test]
    fn another_image_or_feed_is_another_template_and_another_root_is_not() {
        let template = |s: &InjectSettings| Status::new(Environment::Live, s).template;
        let ours = template(&settings());
        assert_eq!(ours.len(), 16);
        let image = InjectSettings {
            image: "sidecar:2".to_owned(),
            ..settings()
        };
        let feed = InjectSettings {
            feed: "other:8444".to_owned(),
            ..settings()
        };
        let roots = InjectSettings {
            ca: "PEM PEM".into(),
            root_sha256: "11".to_owned(),
            ..settings()
        };
        assert_ne!(template(&image), ours);
        assert_ne!(template(&feed), ours);
        assert_eq!(template(&roots), ours);
    }
}
