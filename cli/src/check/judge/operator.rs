//! The operator itself: is it there, does one replica lead, may it do its work,
//! and until when are its certificates good?

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use kube::ResourceExt as _;

use super::unknown;
use crate::check::cluster::Look;
use crate::check::facts::{Facts, Installation, Places};
use crate::check::finding::Finding;
use crate::check::rights::spelled;

/// This command's, and so the operator's that it knows.
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The certificate is renewed when 30 days are left of it; five for whoever
/// has to look after it.
const RENEWAL_IS_LATE: SignedDuration = SignedDuration::from_hours(25 * 24);
/// What a leader may be late with its Lease, beyond the Lease's own time.
const LEASE_IS_LATE: SignedDuration = SignedDuration::from_secs(30);

pub(super) fn judge(facts: &Facts, found: &Installation) -> Vec<Finding> {
    let places = &facts.places;
    let mut findings = deployment(places, &found.deployment);
    if found.deployment == Look::Absent {
        return findings;
    }
    let ahead = facts.version.seen().and_then(|version| version.ahead);
    // Leases and certificates are made by the cluster's clock.
    let there = facts.now + SignedDuration::from_secs(ahead.unwrap_or_default());
    findings.push(leader(places, &found.lease, there));
    findings.push(rights(places, found));
    findings.extend(certificates(places, found, there));
    findings
}

fn deployment(places: &Places, seen: &Look<Deployment>) -> Vec<Finding> {
    let namespace = &places.operator;
    let deployment = match seen {
        Look::Seen(deployment) => deployment,
        Look::Absent => {
            return vec![Finding::failure(
                "operator",
                format!("there is no Deployment credence-operator in namespace {namespace}"),
                format!(
                    "helm install credence charts/credence --namespace {namespace} --create-namespace\n\
                     or name the operator's namespace with --operator-namespace"
                ),
            )];
        }
        Look::Unknown(why) => {
            return vec![unknown("operator", "the operator's state", why, places)];
        }
    };
    let wanted = deployment
        .spec
        .as_ref()
        .and_then(|spec| spec.replicas)
        .unwrap_or(1);
    let status = deployment.status.as_ref();
    let available = status
        .and_then(|status| status.available_replicas)
        .unwrap_or(0);
    let counted = format!("{available} of {wanted} replicas");
    let look = format!(
        "kubectl --namespace {namespace} describe pods -l app.kubernetes.io/name=credence-operator"
    );
    let state = if available == 0 {
        Finding::failure(
            "operator",
            "the operator does not run: running pods keep what they have, new ones wait",
            look,
        )
    } else if available < wanted {
        Finding::warning(
            "operator",
            format!("the operator runs, but with {counted}"),
            look,
        )
    } else if wanted == 1 {
        Finding::warning(
            "operator",
            "the operator runs, with one replica",
            "opted-in pods cannot be created while it restarts: helm upgrade with operator.replicas=2",
        )
    } else {
        Finding::fine(
            "operator",
            format!("the operator runs in {namespace}, {counted}"),
        )
    };
    let label = deployment.labels().get("app.kubernetes.io/version");
    let version = match label.map(String::as_str) {
        Some(VERSION) => Finding::fine(
            "operator-version",
            format!("it is of this command's version, {VERSION}"),
        ),
        other => Finding::warning(
            "operator-version",
            format!(
                "it is of version {}, and this command of {VERSION}",
                other.unwrap_or("unknown")
            ),
            "use the credence of the same release: what it expects may differ",
        ),
    };
    vec![state, version]
}

fn leader(places: &Places, lease: &Look<Lease>, there: Timestamp) -> Finding {
    let log = format!(
        "kubectl --namespace {} logs -l app.kubernetes.io/name=credence-operator --prefix",
        places.operator
    );
    let none = |how: &str| {
        Finding::failure(
            "operator-leader",
            format!("no replica leads ({how}): nobody writes status and certificates"),
            log.clone(),
        )
    };
    let lease = match lease {
        Look::Seen(lease) => lease.spec.clone().unwrap_or_default(),
        Look::Absent => return none("there is no Lease credence-operator"),
        Look::Unknown(why) => {
            return unknown("operator-leader", "which replica leads", why, places);
        }
    };
    let Some((holder, renewed)) = lease.holder_identity.zip(lease.renew_time) else {
        return none("nobody holds the Lease credence-operator");
    };
    let seconds = lease.lease_duration_seconds.unwrap_or_default();
    let until = renewed.0 + SignedDuration::from_secs(i64::from(seconds)) + LEASE_IS_LATE;
    match there <= until {
        true => Finding::fine("operator-leader", format!("{holder} leads")),
        false => none(&format!("the Lease of {holder} ended at {until:.0}")),
    }
}

fn rights(places: &Places, found: &Installation) -> Finding {
    match &found.lacking {
        Look::Seen(lacking) if lacking.is_empty() => Finding::fine(
            "operator-rights",
            format!("it may do all that it needs, {} rights", found.rights),
        ),
        Look::Seen(lacking) => Finding::failure(
            "operator-rights",
            "it may not do all that it needs:",
            "helm upgrade puts the ClusterRole and the Role credence-operator and their bindings right",
        )
        .about(lacking.iter().map(spelled)),
        Look::Absent => unknown("operator-rights", "what it may do", "access cannot be reviewed", places),
        Look::Unknown(why) => unknown("operator-rights", "what it may do", why, places),
    }
}

fn certificates(places: &Places, found: &Installation, there: Timestamp) -> Vec<Finding> {
    let check = "serving-certificate";
    let replicas = match &found.certificates {
        Look::Seen(replicas) => replicas,
        Look::Absent => return Vec::new(),
        Look::Unknown(why) => {
            return vec![unknown(
                check,
                "until when its certificate is good",
                why,
                places,
            )];
        }
    };
    let judged = replicas.iter().map(|(replica, end)| match end {
        Look::Seen(end) => certificate(places, replica, *end, there),
        Look::Absent => Finding::unknown(
            check,
            &format!("until when {replica}'s certificate is good"),
            "it does not say",
        ),
        Look::Unknown(why) => Finding::unknown(
            check,
            &format!("until when {replica}'s certificate is good"),
            why,
        ),
    });
    judged.collect()
}

fn certificate(places: &Places, replica: &str, end: i64, there: Timestamp) -> Finding {
    let check = "serving-certificate";
    let log = format!("kubectl --namespace {} logs {replica}", places.operator);
    let end = match Timestamp::from_second(end) {
        Ok(end) if end.as_second() > 0 => end,
        _ => return Finding::failure(check, format!("{replica} has no certificate"), log),
    };
    let left = end.duration_since(there);
    let day = end.strftime("%F");
    if left.is_negative() {
        let message = format!("{replica} serves with a certificate that expired on {day}");
        Finding::failure(check, message, log)
    } else if left < RENEWAL_IS_LATE {
        let message = format!(
            "{replica} serves with a certificate that expires on {day}: it should have been renewed 30 days before"
        );
        Finding::warning(check, message, log)
    } else {
        Finding::fine(
            check,
            format!("{replica} serves with a certificate that is good until {day}"),
        )
    }
}
