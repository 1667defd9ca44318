//! Does what a plan says.

use credence_crds::{ApiCollectionStatus, condition};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::Client;
use tracing::info;

use super::announcements;
use super::manifest::Manifest;
use super::plan::Plan;
use super::status_patch;
use super::unanswered::Unanswered;
use crate::catalogue::Catalogue;
use crate::events::Events;

/// Owner of everything in the status but `feeds`.
const FIELD_MANAGER: &str = "credence-operator";

/// Puts the plan into the catalogue and, on the leader, into the status.
///
/// # Errors
/// [`Unanswered`], when the status could not be written.
pub(super) async fn carry_out(
    client: &Client,
    catalogue: &Catalogue,
    events: &Events,
    manifest: &Manifest,
    plan: &Plan,
    leads: bool,
) -> Result<(), Unanswered> {
    let (key, uid) = (&manifest.key, &manifest.outline.uid);
    catalogue.put(key, plan.planned.clone());
    if !leads || is_written(&manifest.status, &plan.status) {
        return Ok(());
    }
    if !status_patch::apply(client, key, uid, FIELD_MANAGER, &plan.status).await? {
        return Ok(());
    }
    for (before, after) in transitions(&manifest.status, &plan.status) {
        info!(
            namespace = key.namespace,
            collection = %key.name,
            condition = after.type_,
            before,
            after = after.status,
            reason = after.reason,
            "a condition changed"
        );
    }
    let (before, after) = (&manifest.status.conditions, &plan.status.conditions);
    for happening in announcements::happenings(key, uid, before, after) {
        events.tell(happening);
    }
    Ok(())
}

/// Whether the object's status says it already, apart from what others own.
fn is_written(status: &ApiCollectionStatus, planned: &ApiCollectionStatus) -> bool {
    status.observed_generation == planned.observed_generation
        && status.environment == planned.environment
        && status.method == planned.method
        && status.environments == planned.environments
        && status.sidecars == planned.sidecars
        && own(&status.conditions) == own(&planned.conditions)
}

fn own(conditions: &[Condition]) -> Vec<&Condition> {
    condition::ALL
        .into_iter()
        .filter_map(|type_| conditions.iter().find(|condition| condition.type_ == type_))
        .collect()
}

fn transitions<'a>(
    status: &'a ApiCollectionStatus,
    planned: &'a ApiCollectionStatus,
) -> impl Iterator<Item = (Option<&'a str>, &'a Condition)> {
    planned.conditions.iter().filter_map(move |after| {
        let mut conditions = status.conditions.iter();
        let before = conditions
            .find(|before| before.type_ == after.type_)
            .map(|before| before.status.as_str());
        (before != Some(&after.status)).then_some((before, after))
    })
}
