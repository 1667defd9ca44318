//! The Secret that a token survives in.

use std::collections::BTreeMap;

use credence_broker::TokenKey;
use credence_core::token::Record;
use credence_core::token::record::Unreadable;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;
use kube::api::ObjectMeta;

use crate::collection_key::CollectionKey;

/// Its type: no collection may refer to a Secret of one of ours.
pub const TYPE: &str = "credence.dev/token";
/// The label by which they are found.
pub const LABEL: &str = "credence.dev/token-state";
/// The collection that it is of, for people and for us.
const OF: &str = "credence.dev/collection";
/// Where the record is.
const DATA: &str = "record";
const PREFIX: &str = "credence-token-";

/// The name of a token's Secret.
pub fn name(key: &TokenKey) -> String {
    format!("{PREFIX}{key}")
}

/// The Secret with a record in it; of this resourceVersion, where it is to
/// replace one.
pub fn secret(
    key: &TokenKey,
    of: &CollectionKey,
    record: &Record,
    version: Option<&str>,
) -> Secret {
    let mut bytes = record.to_bytes();
    Secret {
        metadata: ObjectMeta {
            name: Some(name(key)),
            labels: Some(BTreeMap::from([(LABEL.to_owned(), "true".to_owned())])),
            annotations: Some(BTreeMap::from([(OF.to_owned(), written(of))])),
            resource_version: version.map(str::to_owned),
            ..ObjectMeta::default()
        },
        type_: Some(TYPE.to_owned()),
        data: Some(BTreeMap::from([(
            DATA.to_owned(),
            ByteString(std::mem::take(&mut *bytes)),
        )])),
        ..Secret::default()
    }
}

/// The record in a Secret.
///
/// # Errors
/// [`Unreadable`].
pub fn record(secret: &Secret) -> Result<Record, Unreadable> {
    let data = secret.data.as_ref();
    let ByteString(bytes) = data.and_then(|data| data.get(DATA)).ok_or(Unreadable)?;
    Record::of_bytes(bytes)
}

/// Whose token a Secret is for; none where it is not one of ours.
pub fn owner(secret: &Secret) -> Option<CollectionKey> {
    let text = secret.annotations().get(OF)?;
    Some(match text.split_once('/') {
        Some((namespace, name)) => CollectionKey::in_namespace(namespace, name.parse().ok()?),
        None => CollectionKey::of_cluster(text.parse().ok()?),
    })
}

fn written(of: &CollectionKey) -> String {
    match &of.namespace {
        Some(namespace) => format!("{namespace}/{}", of.name),
        None => of.name.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use credence_core::Environment;

    use super::*;

    #[test]
    fn a_secret_tells_its_record_and_whose_it_is() {
        let key = TokenKey::new("uid", Environment::Live);
        let record_before = Record {
            generation: 7,
            ..Record::default()
        };
        for of in [
            CollectionKey::in_namespace("shop", "openai".parse().unwrap()),
            CollectionKey::of_cluster("openai".parse().unwrap()),
        ] {
            let secret = secret(&key, &of, &record_before, Some("5"));
            assert_eq!(record(&secret), Ok(record_before.clone()));
            assert_eq!(owner(&secret), Some(of));
            assert_eq!(secret.name_any(), name(&key));
            assert_eq!(secret.resource_version().as_deref(), Some("5"));
        }
        assert_eq!(owner(&Secret::default()), None);
        assert_eq!(record(&Secret::default()), Err(Unreadable));
    }
}
