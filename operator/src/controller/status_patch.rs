//! Writes a part of a collection's status.

use credence_crds::{ApiCollection, ClusterApiCollection};
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams};
use kube::{Api, Client};
use serde::Serialize;
use serde_json::json;

use super::unanswered::{TIMEOUT, Unanswered};
use crate::collection_key::CollectionKey;

/// Applies what one field manager has to say; says whether the object is still
/// there. With the uid the status of a collection that was deleted and created
/// again is not mistaken for the old one's.
///
/// # Errors
/// [`Unanswered`], when it could not be written.
pub(crate) async fn apply(
    client: &Client,
    key: &CollectionKey,
    uid: &str,
    manager: &str,
    status: &impl Serialize,
) -> Result<bool, Unanswered> {
    let (resource, api): (_, Api<DynamicObject>) = match &key.namespace {
        Some(namespace) => {
            let resource = ApiResource::erase::<ApiCollection>(&());
            let api = Api::namespaced_with(client.clone(), namespace, &resource);
            (resource, api)
        }
        None => {
            let resource = ApiResource::erase::<ClusterApiCollection>(&());
            let api = Api::all_with(client.clone(), &resource);
            (resource, api)
        }
    };
    let patch = json!({
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"name": key.name.as_str(), "uid": uid},
        "status": status,
    });
    let params = PatchParams::apply(manager).force();
    let patch = Patch::Apply(&patch);
    let patched = api.patch_status(key.name.as_str(), &params, &patch);
    match tokio::time::timeout(TIMEOUT, patched).await? {
        Ok(_) => Ok(true),
        // Deleted meanwhile, or created again: its own event follows.
        Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => Ok(false),
        Err(error) => Err(error.into()),
    }
}
