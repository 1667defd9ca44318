//! One Kubernetes object of a manifest.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use credence_core::closest::closest;
use credence_core::collection::{Collection, Scope};
use credence_core::names;
use credence_core::resolve::SecretObject;
use credence_crds::{ApiCollection, ClusterApiCollection, Rejected};
use serde_json::{Value, from_value};
use zeroize::Zeroizing;

use crate::position::Positions;
use crate::problem::{Problem, Severity};
use crate::schema::{At, NOT_BASE64, Schema, Schemas, Violation};
use crate::yaml::Document;

const GROUP: &str = "credence.dev";
const VERSION: &str = "credence.dev/v1alpha1";
const COLLECTION: &str = "ApiCollection";
const CLUSTER_COLLECTION: &str = "ClusterApiCollection";

/// Where an object stands.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    /// The file.
    pub(crate) file: Arc<str>,
    /// Its fields.
    pub(crate) positions: Positions,
}

/// An object that `credence` reads.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    /// `metadata.namespace`; absent where the kind has none, and as manifests
    /// may leave it to `kubectl -n`.
    pub(crate) namespace: Option<String>,
    /// `metadata.name`.
    pub(crate) name: String,
    /// What it is.
    pub(crate) content: Content,
    /// Where it is.
    pub(crate) origin: Origin,
}

/// What an object is.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// A collection of either kind: its scope tells which.
    Collection(Box<Collection>),
    /// A Secret.
    Secret(SecretObject),
    /// The `data` of a ConfigMap.
    ConfigMap(BTreeMap<String, String>),
    /// The labels of a Namespace.
    Namespace(BTreeMap<String, String>),
}

impl Content {
    /// As manifests spell the kind.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Collection(collection) => match collection.scope {
                Scope::Namespace { .. } => COLLECTION,
                Scope::Cluster { .. } => CLUSTER_COLLECTION,
            },
            Self::Secret(_) => "Secret",
            Self::ConfigMap(_) => "ConfigMap",
            Self::Namespace(_) => "Namespace",
        }
    }

    /// Whether objects of this kind are in a namespace.
    pub(crate) fn is_namespaced(&self) -> bool {
        !matches!(self.kind(), CLUSTER_COLLECTION | "Namespace")
    }
}

/// What became of a document.
#[derive(Debug)]
pub(crate) enum Reading {
    /// An object.
    Object(Box<Object>),
    /// Something else that is not looked at: its kind.
    Ignored(String),
    /// One of ours, and wrong.
    Wrong(Vec<Problem>),
}

/// Reads one document of a file.
pub(crate) fn read(document: Document, file: &Arc<str>, schemas: &Schemas) -> Reading {
    let Document {
        mut value,
        positions,
    } = document;
    let origin = Origin {
        file: file.clone(),
        positions,
    };
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    let (version, kind) = (text("apiVersion"), text("kind"));
    let schema = match (version, kind) {
        (Some(VERSION), Some(COLLECTION)) => &schemas.collection,
        (Some(VERSION), Some(CLUSTER_COLLECTION)) => &schemas.cluster_collection,
        (Some("v1"), Some("Secret")) => &schemas.secret,
        (Some("v1"), Some("ConfigMap")) => &schemas.config_map,
        (Some("v1"), Some("Namespace")) => &schemas.namespace,
        _ => match misnamed(version, kind) {
            Some(violation) => return Reading::Wrong(origin.problems(vec![violation])),
            None => return Reading::Ignored(kind.unwrap_or("no kind").to_owned()),
        },
    };
    match object(&mut value, schema) {
        Ok((namespace, name, content)) => Reading::Object(Box::new(Object {
            namespace,
            name,
            content,
            origin,
        })),
        Err(violations) => Reading::Wrong(origin.problems(violations)),
    }
}

impl Origin {
    /// Says about a field of this object what is wrong with it.
    pub(crate) fn problem(
        &self,
        severity: Severity,
        field: &str,
        at: At,
        message: String,
    ) -> Problem {
        Problem {
            file: self.file.clone(),
            position: match at {
                At::Name => self.positions.of_key(field),
                At::Value => self.positions.of_value(field),
            },
            field: field.to_owned(),
            severity,
            message,
        }
    }

    fn problems(&self, violations: Vec<Violation>) -> Vec<Problem> {
        let problem = |v: Violation| self.problem(Severity::Error, &v.field, v.at, v.message);
        violations.into_iter().map(problem).collect()
    }
}

fn violation(field: &str, at: At, message: impl Into<String>) -> Violation {
    Violation {
        field: field.to_owned(),
        at,
        message: message.into(),
    }
}

/// A document that was meant for us, but is not of a kind that there is. A
/// document of any other kind is none of our business.
fn misnamed(version: Option<&str>, kind: Option<&str>) -> Option<Violation> {
    let group = version.and_then(|version| version.split('/').next());
    match (group, kind) {
        (Some(GROUP) | None, Some(COLLECTION | CLUSTER_COLLECTION)) => {
            let at = if version.is_some() {
                At::Value
            } else {
                At::Name
            };
            Some(violation("apiVersion", at, format!("must be {VERSION}")))
        }
        (Some(GROUP), Some(kind)) => {
            let meant = match closest(kind, [COLLECTION, CLUSTER_COLLECTION]) {
                Some(meant) => format!(": did you mean \"{meant}\"?"),
                None => format!(": there are {COLLECTION} and {CLUSTER_COLLECTION}"),
            };
            let message = format!("\"{kind}\" is not a kind of {VERSION}{meant}");
            Some(violation("kind", At::Value, message))
        }
        (Some(GROUP), None) => Some(violation("kind", At::Name, "is required")),
        _ => None,
    }
}

type Parts = (Option<String>, String, Content);

fn object(value: &mut Value, schema: &Schema) -> Result<Parts, Vec<Violation>> {
    let mut checked = schema.check(value);
    let mut violations = std::mem::take(&mut checked.violations);
    let metadata = |name: &str| {
        let text = value.pointer(&format!("/metadata/{name}"))?.as_str()?;
        (!text.is_empty()).then(|| text.to_owned())
    };
    let name = metadata("name");
    if name.is_none() && violations.iter().all(|v| v.field != "metadata.name") {
        violations.push(violation("metadata.name", At::Name, "is required"));
    }
    let (Some(name), false) = (name, checked.misshapen) else {
        return Err(violations);
    };
    let labels: BTreeMap<String, String> = value
        .get("metadata")
        .map(|metadata| texts(metadata, "labels").collect())
        .unwrap_or_default();
    let content = match value.get("kind").and_then(Value::as_str) {
        Some("Secret") => {
            let environment = labels.get(names::ENVIRONMENT).cloned();
            secret(value, environment).map(Content::Secret)
        }
        Some("ConfigMap") => Ok(Content::ConfigMap(texts(value, "data").collect())),
        Some("Namespace") => Ok(Content::Namespace(labels)),
        Some(CLUSTER_COLLECTION) => collection(from_value::<ClusterApiCollection>(value.clone())),
        _ => collection(from_value::<ApiCollection>(value.clone())),
    };
    match content {
        Ok(content) if violations.is_empty() => {
            // An API server takes it away from what is in no namespace.
            let namespace = metadata("namespace").filter(|_| content.is_namespaced());
            Ok((namespace, name, content))
        }
        Ok(_) => Err(violations),
        // A parser knows better what is wrong with a field than a rule does.
        Err(mut parsed) => {
            parsed.retain(|violation| checked.is_news(violation));
            let same = |v: &Violation, better: &Violation| {
                better.field == v.field || (v.field.is_empty() && better.field == "metadata.name")
            };
            violations.retain(|v| !parsed.iter().any(|better| same(v, better)));
            violations.extend(parsed);
            Err(violations)
        }
    }
}

fn texts(value: &Value, field: &str) -> impl Iterator<Item = (String, String)> {
    value
        .get(field)
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
}

fn collection<K>(object: Result<K, serde_json::Error>) -> Result<Content, Vec<Violation>>
where
    for<'a> Collection: TryFrom<&'a K, Error = Rejected>,
{
    let object = object
        // Not the error's own text: it may quote the value.
        .map_err(|_| {
            vec![violation(
                "spec",
                At::Name,
                "does not have the form of its schema",
            )]
        })?;
    match Collection::try_from(&object) {
        Ok(collection) => Ok(Content::Collection(Box::new(collection))),
        Err(rejected) => {
            let problems = rejected.problems.into_iter();
            Err(problems
                .map(|problem| violation(&problem.field, At::Value, problem.message))
                .collect())
        }
    }
}

/// `stringData` wins over `data`, as an API server merges them.
fn secret(value: &Value, environment: Option<String>) -> Result<SecretObject, Vec<Violation>> {
    let mut data = BTreeMap::new();
    for (key, text) in texts(value, "data") {
        let text = Zeroizing::new(text.replace(['\n', '\r'], ""));
        let Ok(bytes) = STANDARD.decode(text.as_bytes()) else {
            let field = crate::position::member("data", &key);
            return Err(vec![violation(&field, At::Value, NOT_BASE64)]);
        };
        data.insert(key, Zeroizing::new(bytes));
    }
    for (key, text) in texts(value, "stringData") {
        data.insert(key, Zeroizing::new(text.into_bytes()));
    }
    Ok(SecretObject {
        // What an API server fills in.
        kind: value
            .get("type")
            .and_then(Value::as_str)
            .filter(|kind| !kind.is_empty())
            .unwrap_or("Opaque")
            .to_owned(),
        environment,
        written_at: None,
        data,
    })
}
