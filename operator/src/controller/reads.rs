//! Objects read by name: once for all collections that are planned together
//! and name the same version of the same object.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use credence_core::names;
use credence_core::resolve::SecretObject;
use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use jiff::Timestamp;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{
    FieldsV1, ManagedFieldsEntry, ObjectMeta, Time,
};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::unanswered::{TIMEOUT, Unanswered};
use crate::revision::{Found, SourceKind};

/// Which object, and how the watch has shown it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Wanted {
    pub(super) kind: SourceKind,
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) shown: Found,
}

/// What was read: the watch may be behind.
#[derive(Debug)]
pub(super) struct Read {
    /// The version that it is of.
    pub(super) found: Found,
    /// Its content, if it exists.
    pub(super) content: Content,
}

/// An object's content.
#[derive(Debug)]
pub(super) enum Content {
    Nothing,
    Secret(SecretObject),
    ConfigMap(BTreeMap<String, String>),
}

type Reading = Shared<BoxFuture<'static, Result<Arc<Read>, Arc<Unanswered>>>>;

/// Everything that is being read. What was read is kept only as long as
/// somebody plans: no value stays in memory that no collection names.
pub(super) struct Reads {
    client: Client,
    together: Mutex<Together>,
}

#[derive(Default)]
struct Together {
    planning: usize,
    readings: HashMap<Wanted, Reading>,
}

/// Somebody plans, for as long as this lives.
pub(super) struct Planning<'a>(&'a Reads);

impl Reads {
    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            together: Mutex::default(),
        }
    }

    pub(super) fn begin(&self) -> Planning<'_> {
        self.lock().planning += 1;
        Planning(self)
    }

    /// Reads an object, or waits for another who does.
    ///
    /// # Errors
    /// Those of the API server; the next who asks asks it again.
    pub(super) async fn read(&self, wanted: &Wanted) -> Result<Arc<Read>, Arc<Unanswered>> {
        let reading = {
            let mut together = self.lock();
            let start = || read(self.client.clone(), wanted.clone()).boxed().shared();
            (together
                .readings
                .entry(wanted.clone())
                .or_insert_with(start))
            .clone()
        };
        let read = reading.clone().await;
        if read.is_err() {
            let mut together = self.lock();
            let same = |kept: &Reading| kept.ptr_eq(&reading);
            if together.readings.get(wanted).is_some_and(same) {
                together.readings.remove(wanted);
            }
        }
        read
    }

    fn lock(&self) -> MutexGuard<'_, Together> {
        self.together.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Planning<'_> {
    fn drop(&mut self) {
        let mut together = self.0.lock();
        together.planning -= 1;
        if together.planning == 0 {
            together.readings = HashMap::new();
        }
    }
}

async fn read(client: Client, wanted: Wanted) -> Result<Arc<Read>, Arc<Unanswered>> {
    let read = match wanted.kind {
        SourceKind::Secret => get::<Secret>(client, &wanted)
            .await
            .map(|secret| Read::of(secret, |secret| Content::Secret(secret_object(secret)))),
        SourceKind::ConfigMap => get::<ConfigMap>(client, &wanted).await.map(|config_map| {
            Read::of(config_map, |config_map| {
                Content::ConfigMap(config_map.data.unwrap_or_default())
            })
        }),
    };
    read.map(Arc::new).map_err(Arc::new)
}

async fn get<K>(client: Client, wanted: &Wanted) -> Result<Option<K>, Unanswered>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    K: Clone + DeserializeOwned + std::fmt::Debug,
{
    let api: Api<K> = Api::namespaced(client, &wanted.namespace);
    Ok(tokio::time::timeout(TIMEOUT, api.get_opt(&wanted.name)).await??)
}

impl Read {
    fn of<K: Resource>(object: Option<K>, content: impl FnOnce(K) -> Content) -> Self {
        let Some(object) = object else {
            return Self {
                found: Found::Absent,
                content: Content::Nothing,
            };
        };
        Self {
            found: Found::At(object.resource_version().unwrap_or_default()),
            content: content(object),
        }
    }
}

fn secret_object(secret: Secret) -> SecretObject {
    SecretObject {
        environment: secret.labels().get(names::ENVIRONMENT).cloned(),
        written_at: written_at(&secret.metadata),
        kind: secret.type_.unwrap_or_default(),
        data: secret
            .data
            .unwrap_or_default()
            .into_iter()
            .map(|(key, value)| (key, Zeroizing::new(value.0)))
            .collect(),
    }
}

/// When the values of an object were last written. Who writes values has a
/// field manager that says when; an object that nobody has written since was
/// written when it was made.
fn written_at(metadata: &ObjectMeta) -> Option<Timestamp> {
    let values = |entry: &&ManagedFieldsEntry| {
        let fields = entry.fields_v1.as_ref();
        fields.is_some_and(|FieldsV1(fields)| fields.get("f:data").is_some())
    };
    let managers = metadata.managed_fields.iter().flatten();
    let writers = managers.filter(values);
    let last = writers.filter_map(|entry| entry.time.as_ref()).max();
    let Time(at) = last.or(metadata.creation_timestamp.as_ref())?;
    Some(*at)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use http::{Request, Response, StatusCode};
    use kube::client::Body;

    use super::*;

    /// An API server whose first answers have these statuses, and then 200.
    fn reads(first: &'static [u16]) -> (Reads, Arc<AtomicUsize>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        let answer = move |_: Request<Body>| {
            let index = count.fetch_add(1, Ordering::SeqCst);
            async move {
                // The others must have asked before there is an answer.
                tokio::task::yield_now().await;
                let status = first.get(index).copied().unwrap_or(200);
                let body = match status {
                    200 => r#"{"metadata":{"name":"s","resourceVersion":"8"},"data":{"k":"dg=="}}"#,
                    _ => r#"{"code":500,"message":"no","reason":"InternalError"}"#,
                };
                let response = Response::builder().status(StatusCode::from_u16(status).unwrap());
                Ok::<_, Infallible>(response.body(Body::from(body.as_bytes().to_vec())).unwrap())
            }
        };
        let client = Client::new(tower::service_fn(answer), "default");
        (Reads::new(client), asked)
    }

    fn secret(version: &str) -> Wanted {
        Wanted {
            kind: SourceKind::Secret,
            namespace: "shop".to_owned(),
            name: "s".to_owned(),
            shown: Found::At(version.to_owned()),
        }
    }

    #[tokio::test]
    async fn all_who_plan_together_read_a_version_once() {
        let (reads, asked) = reads(&[]);
        let planning = reads.begin();
        let wanted = secret("7");
        let (one, two) = tokio::join!(reads.read(&wanted), reads.read(&wanted));
        assert_eq!(one.unwrap().found, Found::At("8".to_owned()));
        assert!(matches!(two.unwrap().content, Content::Secret(_)));
        reads.read(&wanted).await.unwrap();
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        reads.read(&secret("8")).await.unwrap();
        assert_eq!(asked.load(Ordering::SeqCst), 2);
        drop(planning);
        assert!(reads.lock().readings.is_empty(), "values stay in memory");
    }

    #[test]
    fn a_value_is_as_old_as_its_last_writer_says_and_labels_do_not_count() {
        let metadata = |managers: serde_json::Value| -> ObjectMeta {
            serde_json::from_value(serde_json::json!({
                "creationTimestamp": "2026-11-01T00:00:00Z",
                "managedFields": managers,
            }))
            .unwrap()
        };
        let manager = |time: &str, fields: &str| {
            serde_json::json!({
                "manager": fields, "operation": "Update", "apiVersion": "v1",
                "time": time, "fieldsType": "FieldsV1", "fieldsV1": {fields: {}},
            })
        };
        let of = |managers: &[serde_json::Value]| {
            let at = written_at(&metadata(managers.into())).unwrap();
            at.to_string()
        };
        let labels = manager("2026-11-20T00:00:00Z", "f:metadata");
        let values = manager("2026-11-10T00:00:00Z", "f:data");
        let earlier = manager("2026-11-05T00:00:00Z", "f:data");
        let all = [earlier, values, labels.clone()];
        assert_eq!(of(&all), "2026-11-10T00:00:00Z");
        assert_eq!(of(&[labels]), "2026-11-01T00:00:00Z");
        assert_eq!(written_at(&ObjectMeta::default()), None);
    }

    #[tokio::test]
    async fn who_asks_after_a_failure_asks_again() {
        let (reads, asked) = reads(&[500]);
        let _planning = reads.begin();
        let wanted = secret("7");
        let (one, two) = tokio::join!(reads.read(&wanted), reads.read(&wanted));
        assert!(one.is_err() && two.is_err());
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        assert!(reads.read(&wanted).await.is_ok());
    }
}
