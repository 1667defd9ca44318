//! The files, and what can be known about them without a call.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use credence_core::Environment;
use credence_core::collection::Collection;
use credence_core::resolve::{Material, SecretObject, needs, resolve};
use credence_crds::ApiCollection;
use jiff::Timestamp;
use serde_json::Value;

pub(crate) fn examples() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples"))
}

/// The folders with a provider each, by name.
pub(crate) fn providers() -> Vec<(String, PathBuf)> {
    let mut folders: Vec<_> = fs::read_dir(examples())
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir() && entry.file_name() != "demo")
        .map(|entry| (entry.file_name().into_string().unwrap(), entry.path()))
        .collect();
    folders.sort();
    assert!(folders.len() >= 11, "only {folders:?}");
    folders
}

fn documents(file: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    serde_yaml::from_multiple(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}

pub(crate) fn collection(file: &Path) -> Collection {
    let mut documents = documents(file);
    assert_eq!(documents.len(), 1, "{}", file.display());
    let object: ApiCollection = serde_json::from_value(documents.remove(0)).unwrap();
    Collection::try_from(&object).unwrap_or_else(|e| panic!("{}: {e:?}", file.display()))
}

/// The Secrets that stand in a provider's folder. A certificate cannot: there are
/// none where it is the credential.
pub(crate) fn secrets(folder: &Path) -> BTreeMap<String, SecretObject> {
    let file = folder.join("secrets.yaml");
    if !file.exists() {
        return BTreeMap::new();
    }
    documents(&file)
        .into_iter()
        .filter(|document| document["kind"] == "Secret")
        .map(|secret| {
            let metadata = &secret["metadata"];
            let environment = metadata["labels"]["credence.dev/environment"].as_str();
            let values = secret["stringData"].as_object().unwrap().iter();
            let data = values.map(|(key, value)| {
                let value = value.as_str().unwrap();
                let published = value == "DEMO_KEY";
                assert!(
                    published || value.starts_with("REPLACE-"),
                    "{key} looks like a value"
                );
                (key.clone(), value.as_bytes().to_vec().into())
            });
            let object = SecretObject {
                kind: secret["type"].as_str().unwrap_or("Opaque").to_owned(),
                environment: environment.map(str::to_owned),
                data: data.collect(),
                ..SecretObject::default()
            };
            (metadata["name"].as_str().unwrap().to_owned(), object)
        })
        .collect()
}

#[test]
fn every_providers_collection_resolves_in_both_environments() {
    for (name, folder) in providers() {
        let collection = collection(&folder.join("collection.yaml"));
        // The quickstart's folder is named for what it is.
        assert!(name == "quickstart" || collection.name.as_str() == name);
        let material = Material {
            secrets: secrets(&folder),
            ..Material::default()
        };
        let settings = collection.selected(Environment::Live).settings;
        if settings.tls_secret.is_some() || material.secrets.is_empty() {
            // It is given certificates or keys where it is called.
            continue;
        }
        let mut used = Vec::new();
        for environment in [Environment::Development, Environment::Live] {
            let resolved = resolve(&collection, environment, &material, Timestamp::now());
            let resolved = resolved.unwrap_or_else(|e| panic!("{name}, {environment}: {e:?}"));
            assert!(!resolved.uses_live_fallback, "{name}");
            used.extend(resolved.secret);
        }
        used.sort();
        let all: Vec<_> = material.secrets.keys().cloned().collect();
        assert_eq!(
            used, all,
            "{name}: each environment has a Secret of its own"
        );
    }
}

#[test]
fn the_demo_brings_what_its_collection_needs_in_each_namespace() {
    let demo = examples().join("demo");
    let collection = collection(&demo.join("collection.yaml"));
    let material = documents(&demo.join("material.yaml"));
    for namespace in documents(&demo.join("namespaces.yaml")) {
        let metadata = &namespace["metadata"];
        let label = metadata["labels"]["credence.dev/environment"].as_str();
        let needs = needs(&collection, Environment::of_label(label));
        let there = |kind: &str, name: &String| {
            material.iter().any(|object| {
                object["kind"] == kind
                    && object["metadata"]["name"] == *name
                    && object["metadata"]["namespace"] == metadata["name"]
            })
        };
        assert_eq!(needs.secrets.len(), 1);
        assert!(needs.secrets.iter().all(|name| there("Secret", name)));
        // A certificate is a file of its own, and the text says how it gets there.
        let told = fs::read_to_string(demo.join("material.yaml")).unwrap();
        for name in needs.config_maps {
            let home = metadata["name"].as_str().unwrap();
            let command = format!("kubectl --namespace {home} create configmap {name} ");
            assert!(told.contains(&command), "{command}");
        }
    }
}

#[test]
fn the_readme_shows_every_example() {
    let readme = fs::read_to_string(examples().join("README.md")).unwrap();
    for (name, _) in providers() {
        assert!(readme.contains(&format!("[{name}]({name})")), "{name}");
    }
}
