//! An object's metadata without its annotations: `kubectl apply` writes whole
//! Secrets into those, and they are not wanted in memory.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::marker::PhantomData;

use kube::Resource;
use kube::api::ObjectMeta;
use serde::{Deserialize, Deserializer};

/// A `PartialObjectMetadata` of `K`, of which only names, versions and labels
/// are decoded.
#[derive(Debug)]
pub struct Marker<K> {
    metadata: ObjectMeta,
    kind: PhantomData<fn() -> K>,
}

impl<K> Clone for Marker<K> {
    fn clone(&self) -> Self {
        Self {
            metadata: self.metadata.clone(),
            kind: PhantomData,
        }
    }
}

#[derive(Deserialize)]
struct Form {
    metadata: MetadataForm,
}

/// The part of an object's metadata that the operator reads; the rest is
/// skipped by the decoder and never allocated.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MetadataForm {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    namespace: Option<String>,
    #[serde(default)]
    resource_version: Option<String>,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
}

impl<'de, K> Deserialize<'de> for Marker<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let form = Form::deserialize(deserializer)?;
        Ok(Self {
            metadata: ObjectMeta {
                name: form.metadata.name,
                namespace: form.metadata.namespace,
                resource_version: form.metadata.resource_version,
                labels: form.metadata.labels,
                ..ObjectMeta::default()
            },
            kind: PhantomData,
        })
    }
}

impl<K: Resource> Resource for Marker<K> {
    type DynamicType = K::DynamicType;
    type Scope = K::Scope;

    fn metadata_api() -> bool {
        true
    }

    fn kind(dt: &Self::DynamicType) -> Cow<'_, str> {
        K::kind(dt)
    }

    fn group(dt: &Self::DynamicType) -> Cow<'_, str> {
        K::group(dt)
    }

    fn version(dt: &Self::DynamicType) -> Cow<'_, str> {
        K::version(dt)
    }

    fn plural(dt: &Self::DynamicType) -> Cow<'_, str> {
        K::plural(dt)
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::Secret;

    #[test]
    fn annotations_are_not_kept() {
        let marker: Marker<Secret> = serde_json::from_str(
            r#"{"kind":"PartialObjectMetadata","metadata":{"name":"s","namespace":"shop","resourceVersion":"7",
                "labels":{"a":"b"},"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"sk_live_1"}}}"#,
        )
        .unwrap();
        assert!(!format!("{marker:?}").contains("sk_live_1"));
        assert_eq!(marker.metadata.resource_version.as_deref(), Some("7"));
        assert!(Marker::<Secret>::metadata_api());
    }
}
