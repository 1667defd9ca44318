//! Does what a plan says.

use std::time::Duration;

use credence_core::CollectionName;
use credence_crds::{ApiCollection, ApiCollectionStatus, condition};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::json;
use tracing::info;

use super::gather::Unanswered;
use super::plan::Plan;
use crate::catalogue::Catalogue;

/// Owner of everything in the status but `feeds`.
const FIELD_MANAGER: &str = "credence-operator";
/// An API server that takes longer is not going to answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Puts the plan into the catalogue and, on the leader, into the status.
///
/// # Errors
/// [`Unanswered`], when the status could not be written.
pub(super) async fn carry_out(
    client: &Client,
    catalogue: &Catalogue,
    namespace: &str,
    name: &CollectionName,
    object: &ApiCollection,
    plan: &Plan,
    leads: bool,
) -> Result<(), Unanswered> {
    catalogue.put(namespace, name, plan.planned.clone());
    if !leads || is_written(object.status.as_ref(), &plan.status) {
        return Ok(());
    }
    let api: Api<ApiCollection> = Api::namespaced(client.clone(), namespace);
    let patch = json!({
        "apiVersion": "credence.dev/v1alpha1",
        "kind": "ApiCollection",
        // With the uid the status of a collection that was deleted and created
        // again is not mistaken for the old one's.
        "metadata": {"name": name.as_str(), "uid": object.metadata.uid},
        "status": plan.status,
    });
    let params = PatchParams::apply(FIELD_MANAGER).force();
    let patch = Patch::Apply(&patch);
    let patched = api.patch_status(name.as_str(), &params, &patch);
    match tokio::time::timeout(TIMEOUT, patched).await? {
        Ok(_) => {}
        // Deleted meanwhile, or created again: its own event follows.
        Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => {
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    }
    for (before, after) in transitions(object.status.as_ref(), &plan.status) {
        info!(
            namespace,
            collection = %name,
            condition = after.type_,
            before,
            after = after.status,
            reason = after.reason,
            "a condition changed"
        );
    }
    Ok(())
}

/// Whether the object's status says it already, apart from what others own.
fn is_written(status: Option<&ApiCollectionStatus>, planned: &ApiCollectionStatus) -> bool {
    let Some(status) = status else { return false };
    status.observed_generation == planned.observed_generation
        && status.environment == planned.environment
        && status.method == planned.method
        && status.environments == planned.environments
        && status.sidecars == planned.sidecars
        && own(&status.conditions) == own(&planned.conditions)
}

fn own(conditions: &[Condition]) -> Vec<&Condition> {
    let types = [
        condition::ACCEPTED,
        condition::CREDENTIALS_RESOLVED,
        condition::PROGRAMMED,
        condition::READY,
    ];
    types
        .into_iter()
        .filter_map(|type_| conditions.iter().find(|condition| condition.type_ == type_))
        .collect()
}

fn transitions<'a>(
    status: Option<&'a ApiCollectionStatus>,
    planned: &'a ApiCollectionStatus,
) -> impl Iterator<Item = (Option<&'a str>, &'a Condition)> {
    planned.conditions.iter().filter_map(move |after| {
        let before = status
            .and_then(|status| {
                status
                    .conditions
                    .iter()
                    .find(|before| before.type_ == after.type_)
            })
            .map(|before| before.status.as_str());
        (before != Some(&after.status)).then_some((before, after))
    })
}
