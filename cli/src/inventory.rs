//! Everything that the given files hold.

use std::collections::{BTreeMap, BTreeSet};

use credence_core::Environment;
use credence_core::collection::{Collection, Scope};
use credence_core::names;
use credence_core::resolve::{Material, Needs};

use crate::files::File;
use crate::list;
use crate::object::{self, Content, Object, Origin, Reading};
use crate::problem::{self, Problem, Severity};
use crate::schema::{At, Schemas};
use crate::yaml;

/// The namespace that `kubectl` uses when nobody names one.
const DEFAULT_NAMESPACE: &str = "default";

/// The objects of the files, in the order in which they stand there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inventory {
    objects: Vec<Object>,
    /// Kinds that were not looked at, and how many of each there are.
    pub(crate) ignored: BTreeMap<String, usize>,
}

/// The files name several namespaces, and nobody said which is meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the files name {} namespaces ({}): choose one with --namespace",
    .0.len(), .0.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
)]
pub(crate) struct AmbiguousNamespace(pub BTreeSet<String>);

/// Reads files. The inventory holds what is right also when there are problems.
pub(crate) fn read(files: &[File], schemas: &Schemas) -> (Inventory, Vec<Problem>) {
    let mut inventory = Inventory::default();
    let mut problems = Vec::new();
    for file in files {
        let problem = |position, field: String, message: String| Problem {
            file: file.path.clone(),
            position,
            field,
            severity: Severity::Error,
            message,
        };
        let Ok(text) = std::str::from_utf8(&file.content) else {
            let message = "is not UTF-8".to_owned();
            problems.push(problem(
                crate::position::Position::START,
                String::new(),
                message,
            ));
            continue;
        };
        let (documents, faults) = yaml::parse(text);
        let faults = faults.into_iter();
        problems.extend(faults.map(|fault| problem(fault.position, fault.field, fault.message)));
        for document in documents.into_iter().flat_map(list::expand) {
            match object::read(document, &file.path, schemas) {
                Reading::Object(object) => inventory.objects.push(*object),
                Reading::Ignored(kind) => *inventory.ignored.entry(kind).or_default() += 1,
                Reading::Wrong(wrong) => problems.extend(wrong),
            }
        }
    }
    problem::sort(&mut problems);
    (inventory, problems)
}

impl Inventory {
    /// The one namespace that collections are in; where none of them names one,
    /// the only one that is there at all, else `default`.
    ///
    /// # Errors
    /// When there are several.
    pub(crate) fn only_namespace(&self) -> Result<String, AmbiguousNamespace> {
        let mut present = self.homes();
        match present.pop_first() {
            None => Ok(DEFAULT_NAMESPACE.to_owned()),
            Some(only) if present.is_empty() => Ok(only),
            Some(first) => {
                present.insert(first);
                Err(AmbiguousNamespace(present))
            }
        }
    }

    /// The namespaces that collections are in; where none of them names one,
    /// all that are named.
    pub(crate) fn homes(&self) -> BTreeSet<String> {
        let of_collections: BTreeSet<&str> = self
            .collections()
            .filter_map(|(object, _)| object.namespace.as_deref())
            .collect();
        let of_others = || {
            let named = self.objects.iter();
            named
                .filter_map(|object| match object.content {
                    Content::Namespace(_) => Some(object.name.as_str()),
                    _ => object.namespace.as_deref(),
                })
                // Nobody makes calls from there.
                .filter(|name| *name != names::CLUSTER_CREDENTIALS_NAMESPACE)
        };
        let homes: BTreeSet<&str> = match of_collections.len() {
            0 => of_others().collect(),
            _ => of_collections,
        };
        homes.into_iter().map(str::to_owned).collect()
    }

    /// Puts objects that name no namespace into this one, as
    /// `kubectl apply --namespace` does.
    pub(crate) fn put_into(&mut self, namespace: &str) {
        for object in &mut self.objects {
            if object.namespace.is_none() && object.content.is_namespaced() {
                object.namespace = Some(namespace.to_owned());
            }
        }
    }

    /// An error for every object that is there a second time.
    pub(crate) fn duplicates(&self) -> Vec<Problem> {
        let mut first: BTreeMap<_, &Origin> = BTreeMap::new();
        let mut problems = Vec::new();
        for object in &self.objects {
            let kind = object.content.kind();
            let key = (kind, object.namespace.as_deref(), object.name.as_str());
            let Some(before) = first.get(&key) else {
                first.insert(key, &object.origin);
                continue;
            };
            let message = format!(
                "{kind} \"{}\" is defined already at {}:{}: remove one of them",
                object.name,
                before.file,
                before.positions.of_value("metadata.name")
            );
            let field = "metadata.name";
            let origin = &object.origin;
            problems.push(origin.problem(Severity::Error, field, At::Value, message));
        }
        problems
    }

    /// All collections of both kinds.
    pub(crate) fn collections(&self) -> impl Iterator<Item = (&Object, &Collection)> {
        self.objects
            .iter()
            .filter_map(|object| match &object.content {
                Content::Collection(collection) => Some((object, &**collection)),
                _ => None,
            })
    }

    /// The environment that the Namespace document says, if there is one.
    pub(crate) fn environment(&self, namespace: &str) -> Option<Environment> {
        self.namespaces()
            .find(|(object, _)| object.name == namespace)
            .map(|(_, labels)| labels.get(names::ENVIRONMENT).map(String::as_str))
            .map(Environment::of_label)
    }

    /// All Namespace documents, with their labels.
    pub(crate) fn namespaces(&self) -> impl Iterator<Item = (&Object, &BTreeMap<String, String>)> {
        self.objects
            .iter()
            .filter_map(|object| match &object.content {
                Content::Namespace(labels) => Some((object, labels)),
                _ => None,
            })
    }

    /// The labels of a namespace: those of its document, if there is one, and
    /// the one that an API server gives it.
    pub(crate) fn labels(&self, namespace: &str) -> BTreeMap<String, String> {
        let mut labels = self
            .namespaces()
            .find(|(object, _)| object.name == namespace)
            .map(|(_, labels)| labels.clone())
            .unwrap_or_default();
        labels.insert(names::NAMESPACE_NAME.to_owned(), namespace.to_owned());
        labels
    }

    /// Looks up what a collection needs in this namespace. What names none is in
    /// each, unless that has an object of the same name.
    pub(crate) fn gather(&self, namespace: Option<&str>, needs: &Needs) -> Material {
        let mut material = Material::default();
        let objects = self.objects.iter();
        let anywhere = objects.filter(|object| object.namespace.is_none());
        let objects = self.objects.iter();
        let here = objects
            .filter(|object| namespace.is_some() && object.namespace.as_deref() == namespace);
        // The last one of a name stays.
        for object in anywhere.chain(here) {
            match &object.content {
                Content::Secret(secret) if needs.secrets.contains(&object.name) => {
                    material.secrets.insert(object.name.clone(), secret.clone());
                }
                Content::ConfigMap(data) if needs.config_maps.contains(&object.name) => {
                    material
                        .config_maps
                        .insert(object.name.clone(), data.clone());
                }
                _ => {}
            }
        }
        material
    }
}

/// Kinds and how many of each there are, for a sentence: `Service, 2 Deployment`.
pub(crate) fn listed(kinds: &BTreeMap<String, usize>) -> String {
    let kinds = kinds.iter().map(|(kind, count)| match count {
        1 => kind.clone(),
        several => format!("{several} {kind}"),
    });
    kinds.collect::<Vec<_>>().join(", ")
}

/// The namespace that a collection's Secrets and ConfigMaps are in: its own,
/// which may not be known yet, or the one for all cluster collections.
pub(crate) fn material_namespace<'a>(
    collection: &Collection,
    own: Option<&'a str>,
) -> Option<&'a str> {
    match collection.scope {
        Scope::Namespace { .. } => own,
        Scope::Cluster { .. } => Some(names::CLUSTER_CREDENTIALS_NAMESPACE),
    }
}
