//! Which changes of a status are Events.

use std::borrow::Cow;

use credence_crds::condition::{self, reason};
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::collection_key::CollectionKey;
use crate::events::{Happening, Severity};

/// What we were doing.
const ACTION: &str = "Plan";

/// The Events about a status that became another.
pub(super) fn happenings(
    key: &CollectionKey,
    uid: &str,
    before: &[Condition],
    after: &[Condition],
) -> Vec<Happening> {
    let happening = |severity, reason: &str, note: &str| Happening {
        regarding: reference(key, uid),
        severity,
        reason: Cow::Owned(reason.to_owned()),
        action: ACTION,
        note: note.to_owned(),
    };
    let appeared = after.iter().filter_map(|after| {
        let before = before.iter().find(|before| before.type_ == after.type_);
        let severity = severity(before, after)?;
        Some(happening(severity, &after.reason, &after.message))
    });
    let recovered = before
        .iter()
        .any(|before| before.type_ == condition::CREDENTIAL_REJECTED)
        && !after
            .iter()
            .any(|after| after.type_ == condition::CREDENTIAL_REJECTED);
    let recovered = recovered.then(|| {
        let note = "The provider is not known to refuse the credential that is in use now.";
        happening(Severity::Normal, reason::NO_LONGER_REJECTED, note)
    });
    appeared.chain(recovered).collect()
}

/// Whether what a condition says now is worth an Event, and of which kind.
fn severity(before: Option<&Condition>, after: &Condition) -> Option<Severity> {
    let was = before.map(|before| (before.status.as_str(), before.reason.as_str()));
    let is = (after.status.as_str(), after.reason.as_str());
    if was == Some(is) {
        return None;
    }
    let changed = was.is_none_or(|(status, _)| status != after.status);
    match (after.type_.as_str(), after.status.as_str()) {
        (
            condition::ACCEPTED
            | condition::CREDENTIALS_RESOLVED
            | condition::TOKEN_READY
            | condition::VERIFIED
            | condition::PROGRAMMED,
            "False",
        ) => Some(Severity::Warning),
        (condition::READY | condition::VERIFIED, "True") if changed => Some(Severity::Normal),
        (condition::PROGRAMMED, "True") if was.is_some_and(|(status, _)| status == "False") => {
            Some(Severity::Normal)
        }
        // CredentialsResolved says the same.
        (condition::ACCESS_FORBIDDEN, _) => None,
        (
            condition::CREDENTIAL_REJECTED
            | condition::CERTIFICATE_EXPIRING
            | condition::KEY_OF_OTHER_ENVIRONMENT
            | condition::DEVELOPMENT_USES_LIVE_CREDENTIALS
            | condition::PORT_CONFLICT,
            "True",
        ) => Some(Severity::Warning),
        (condition::SHADOWED, "True") => Some(Severity::Normal),
        _ => None,
    }
}

fn reference(key: &CollectionKey, uid: &str) -> ObjectReference {
    ObjectReference {
        api_version: Some("credence.dev/v1alpha1".to_owned()),
        kind: Some(key.kind().to_owned()),
        namespace: key.namespace.clone(),
        name: Some(key.name.to_string()),
        uid: Some(uid.to_owned()),
        ..ObjectReference::default()
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::*;

    fn conditions(said: &[(&str, &str, &str)]) -> Vec<Condition> {
        said.iter()
            .map(|(type_, status, reason)| Condition {
                type_: (*type_).to_owned(),
                status: (*status).to_owned(),
                reason: (*reason).to_owned(),
                message: format!("About {reason}."),
                last_transition_time: Time(Timestamp::UNIX_EPOCH),
                observed_generation: Some(1),
            })
            .collect()
    }

    fn told(
        before: &[(&str, &str, &str)],
        after: &[(&str, &str, &str)],
    ) -> Vec<(Severity, String)> {
        let key = CollectionKey::in_namespace("shop", "openai".parse().unwrap());
        let happenings = happenings(&key, "u", &conditions(before), &conditions(after));
        happenings
            .into_iter()
            .map(|happening| {
                assert_eq!(happening.regarding.uid.as_deref(), Some("u"));
                (happening.severity, happening.reason.into_owned())
            })
            .collect()
    }

    const GOOD: [(&str, &str, &str); 4] = [
        ("Accepted", "True", "Valid"),
        ("CredentialsResolved", "True", "Resolved"),
        ("Programmed", "True", "NoSidecars"),
        ("Ready", "True", "Ready"),
    ];

    #[test]
    fn a_status_that_stays_is_no_event() {
        assert_eq!(told(&GOOD, &GOOD), []);
        let busy = [("Programmed", "Unknown", "Pending")];
        assert_eq!(told(&GOOD[2..3], &busy), []);
        assert_eq!(told(&busy, &[("Programmed", "True", "Programmed")]), []);
    }

    #[test]
    fn a_failure_is_told_once_and_so_is_its_end() {
        let missing = [
            ("Accepted", "True", "Valid"),
            ("CredentialsResolved", "False", "SecretNotFound"),
            ("Programmed", "True", "NoSidecars"),
            ("Ready", "False", "SecretNotFound"),
        ];
        let warned = |reason: &str| vec![(Severity::Warning, reason.to_owned())];
        let ready = vec![(Severity::Normal, "Ready".to_owned())];
        assert_eq!(told(&[], &GOOD), ready);
        assert_eq!(told(&GOOD, &missing), warned("SecretNotFound"));
        assert_eq!(told(&missing, &missing), []);
        let empty = [("CredentialsResolved", "False", "SecretKeyMissing")];
        assert_eq!(told(&missing[1..2], &empty), warned("SecretKeyMissing"));
        assert_eq!(told(&missing, &GOOD), ready);
    }

    #[test]
    fn a_refused_credential_is_told_and_so_is_that_it_is_not_any_more() {
        let rejected = [("CredentialRejected", "True", "NeverAccepted")];
        assert_eq!(
            told(&[], &rejected),
            [(Severity::Warning, "NeverAccepted".to_owned())]
        );
        assert_eq!(
            told(&rejected, &[]),
            [(Severity::Normal, "NoLongerRejected".to_owned())]
        );
    }

    #[test]
    fn what_a_verification_shows_is_told_once() {
        let good = [("Verified", "True", "VerificationSucceeded")];
        let bad = [("Verified", "False", "VerificationFailed")];
        let unknown = [("Verified", "Unknown", "Unreachable")];
        let normal = [(Severity::Normal, "VerificationSucceeded".to_owned())];
        let warned = [(Severity::Warning, "VerificationFailed".to_owned())];
        assert_eq!(told(&[], &good), normal);
        assert_eq!(told(&good, &good), []);
        assert_eq!(told(&good, &bad), warned);
        assert_eq!(told(&bad, &bad), []);
        assert_eq!(told(&bad, &good), normal);
        assert_eq!(told(&good, &unknown), []);
        assert_eq!(told(&good, &[]), []);
    }

    #[test]
    fn a_certificate_that_comes_nearer_to_its_end_is_told_of_again() {
        let month = [("CertificateExpiring", "True", "ExpiresWithin30Days")];
        let week = [("CertificateExpiring", "True", "ExpiresWithin7Days")];
        let told = told(&month, &week);
        assert_eq!(told, [(Severity::Warning, "ExpiresWithin7Days".to_owned())]);
    }
}
