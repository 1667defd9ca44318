//! What is known of a cluster before anything is judged.

use std::collections::BTreeSet;

use credence_crds::{ApiCollection, ClusterApiCollection};
use jiff::Timestamp;
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::authorization::v1::ResourceAttributes;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

use super::cluster::{Look, Version};
use super::grants::Grants;

/// Where to look.
#[derive(Clone, Debug)]
pub(super) struct Places {
    /// The operator's namespace.
    pub(super) operator: String,
    /// The only namespace whose collections and pods are looked at.
    pub(super) only: Option<String>,
}

/// All that was gathered.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) now: Timestamp,
    pub(super) places: Places,
    /// Of the API server.
    pub(super) url: String,
    pub(super) version: Look<Version>,
    /// The rest, if the API server answers at all.
    pub(super) installation: Option<Installation>,
}

/// What an API server that answers was asked.
#[derive(Debug)]
pub(super) struct Installation {
    /// As this command knows them, and as they are.
    pub(super) definitions: Vec<(CustomResourceDefinition, Look<CustomResourceDefinition>)>,
    pub(super) deployment: Look<Deployment>,
    pub(super) lease: Look<Lease>,
    /// Rights that the operator needs and has not, and how many it needs.
    pub(super) lacking: Look<Vec<ResourceAttributes>>,
    pub(super) rights: usize,
    pub(super) webhook: Look<MutatingWebhookConfiguration>,
    pub(super) dry_run: DryRun,
    /// Replicas of the operator, and when the certificate that each serves with
    /// ends: seconds since 1970.
    pub(super) certificates: Look<Vec<(String, Look<i64>)>>,
    pub(super) policies: Look<Vec<ValidatingAdmissionPolicy>>,
    pub(super) policy_bindings: Look<Vec<ValidatingAdmissionPolicyBinding>>,
    pub(super) grants: Look<Grants>,
    pub(super) namespaces: Look<Vec<Namespace>>,
    pub(super) collections: Look<Vec<ApiCollection>>,
    /// Absent where only one namespace is looked at.
    pub(super) cluster_collections: Look<Vec<ClusterApiCollection>>,
    /// Whether the operator may read what collections refer to.
    pub(super) sources: Vec<Source>,
    /// Opted-in pods that the injector did not mark.
    pub(super) unmarked: Look<Vec<Pod>>,
    /// Pods that the injector marked.
    pub(super) marked: Look<Vec<Pod>>,
}

/// What became of a pod that asked for a sidecar.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct DryRun {
    pub(super) namespace: String,
    pub(super) outcome: DryRunOutcome,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum DryRunOutcome {
    /// As it would have been created.
    Made(Box<Pod>),
    /// The API server could not ask somebody whom it must ask.
    Broken(String),
    /// The API server would not create it.
    Refused(String),
}

/// Objects of one kind in one namespace that collections refer to.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Source {
    pub(super) namespace: String,
    /// `secrets` or `configmaps`.
    pub(super) resource: &'static str,
    /// Collections that refer to one, as kind and name.
    pub(super) collections: BTreeSet<String>,
    /// Whether the operator may read objects of this kind there.
    pub(super) readable: Look<bool>,
}
