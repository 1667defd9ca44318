//! Whether calls can be made, by what the operator says of each collection.

use credence_crds::{ApiCollectionStatus, condition};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta};

use super::unknown;
use crate::check::cluster::Look;
use crate::check::facts::{Installation, Places, Source};
use crate::check::finding::Finding;
use crate::check::report::counted;

/// Conditions that are good news when they are true. Any other is told of when
/// it is true.
const WELL: [&str; 6] = [
    condition::ACCEPTED,
    condition::CREDENTIALS_RESOLVED,
    condition::PROGRAMMED,
    condition::READY,
    condition::TOKEN_READY,
    condition::VERIFIED,
];

pub(super) fn judge(places: &Places, found: &Installation) -> Vec<Finding> {
    let mut findings: Vec<Finding> = found
        .sources
        .iter()
        .filter_map(|source| forbidden(places, source))
        .collect();
    let mut ready = 0;
    let mut not_ready = 0;
    let mut told = |kind, metadata: &ObjectMeta, status: &Option<ApiCollectionStatus>| {
        let found = about(kind, metadata, status.as_ref());
        match found.is_empty() {
            true => ready += 1,
            false => not_ready += 1,
        }
        found
    };
    // That a definition is absent was said already.
    match &found.collections {
        Look::Seen(all) => {
            findings.extend(
                all.iter()
                    .flat_map(|one| told("apicollection", &one.metadata, &one.status)),
            );
        }
        Look::Absent => {}
        Look::Unknown(why) => {
            let what = "the state of the collections";
            findings.push(unknown("collections", what, why, places));
        }
    }
    match &found.cluster_collections {
        Look::Seen(all) => {
            findings.extend(
                all.iter()
                    .flat_map(|one| told("clusterapicollection", &one.metadata, &one.status)),
            );
        }
        Look::Absent => {}
        Look::Unknown(why) => {
            let what = "the state of the cluster's collections";
            findings.push(unknown("collections", what, why, places));
        }
    }
    if ready > 0 {
        let message = format!("{} ready", counted(ready, "collection"));
        findings.insert(0, Finding::fine("collections", message));
    } else if not_ready == 0 && findings.is_empty() {
        findings.push(Finding::fine("collections", "there are none yet"));
    }
    findings
}

/// A namespace that the operator may not read what collections refer to in.
fn forbidden(places: &Places, source: &Source) -> Option<Finding> {
    let check = "credential-access";
    let Source {
        namespace,
        resource,
        collections,
        readable,
    } = source;
    let finding = match readable {
        Look::Seen(true) => return None,
        Look::Seen(false) => Finding::failure(
            check,
            format!(
                "the operator may not read {resource} in namespace {namespace}, which these refer to:"
            ),
            format!(
                "kubectl create rolebinding credence-credentials --namespace={namespace} \
                 --clusterrole=credence-credentials --serviceaccount={}:credence-operator\n\
                 or list the namespace in the chart's value credentialNamespaces",
                places.operator
            ),
        ),
        Look::Absent => return None,
        Look::Unknown(why) => Finding::unknown(
            check,
            &format!("whether the operator may read {resource} in namespace {namespace}"),
            why,
        ),
    };
    Some(finding.about(collections.iter().cloned()))
}

/// What is to be said of one, if it is not simply ready.
fn about(kind: &str, metadata: &ObjectMeta, status: Option<&ApiCollectionStatus>) -> Vec<Finding> {
    let own = metadata.name.as_deref().unwrap_or_default();
    let (name, look) = match &metadata.namespace {
        Some(namespace) => (
            format!("{namespace}/{own}"),
            format!("kubectl --namespace {namespace} describe {kind} {own}"),
        ),
        None => (own.to_owned(), format!("kubectl describe {kind} {own}")),
    };
    let conditions = status
        .map(|status| status.conditions.as_slice())
        .unwrap_or_default();
    let Some(ready) = find(conditions, condition::READY) else {
        return vec![Finding::failure(
            "collection",
            format!("{name} has no status: no operator has looked at it"),
            "see what is said of the operator above",
        )];
    };
    let mut findings = Vec::new();
    if ready.status != "True" {
        findings.push(Finding::failure(
            "collection",
            format!("{name} is not ready: {}: {}", ready.reason, ready.message),
            look.clone(),
        ));
    } else if let Some(programmed) = find(conditions, condition::PROGRAMMED)
        && programmed.status == "False"
    {
        findings.push(Finding::warning(
            "collection",
            format!(
                "{name} is not yet used by all sidecars: {}: {}",
                programmed.reason, programmed.message
            ),
            look.clone(),
        ));
    }
    if let Some(verified) = find(conditions, condition::VERIFIED)
        && verified.status == "False"
    {
        findings.push(Finding::warning(
            "collection",
            format!("{name} is refused by its API: {}", verified.message),
            look.clone(),
        ));
    }
    let observed = conditions
        .iter()
        .filter_map(|condition| condition.observed_generation)
        .max();
    if observed.is_some() && observed < metadata.generation {
        findings.push(Finding::warning(
            "collection",
            format!("{name} was changed, and no operator has looked at it since"),
            "see what is said of the operator above",
        ));
    }
    let further = conditions.iter().filter(|condition| {
        condition.status == "True" && !WELL.contains(&condition.type_.as_str())
    });
    findings.extend(further.map(|condition| {
        let Condition { type_, message, .. } = condition;
        Finding::warning(
            "collection",
            format!("{name}: {type_}: {message}"),
            look.clone(),
        )
    }));
    findings
}

fn find<'a>(conditions: &'a [Condition], kind: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == kind)
}
