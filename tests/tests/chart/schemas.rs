//! What is rendered, and the examples, compared with the schemas of those who
//! will read them: the API server's own, our definition's, the Prometheus
//! operator's.

mod kubeconform;
mod written;

use std::fs;
use std::path::{Path, PathBuf};

use kubeconform::Kubeconform;

use crate::helm::Helm;
use crate::workspace;

#[test]
fn every_variant_has_the_form_that_the_api_server_wants() {
    let Some(kubeconform) = Kubeconform::get() else {
        return;
    };
    let Some(helm) = Helm::get() else { return };
    let mut objects = 0;
    for entry in fs::read_dir(workspace().join("tests/tests/chart/values")).unwrap() {
        let values = entry.unwrap().path();
        objects += kubeconform.check(&helm.render(&values)).unwrap();
    }
    let with_definitions = helm.template(&[]);
    let text = String::from_utf8(with_definitions.stdout).unwrap();
    objects += kubeconform.check(&text).unwrap();
    assert!(objects > 80, "only {objects} objects were looked at");
}

#[test]
fn every_example_has_the_form_that_the_api_server_wants() {
    let Some(kubeconform) = Kubeconform::get() else {
        return;
    };
    let mut objects = 0;
    let mut files = Vec::new();
    manifests(&workspace().join("examples"), &mut files);
    for file in files {
        let checked = kubeconform.check(&fs::read_to_string(&file).unwrap());
        objects += checked.unwrap_or_else(|said| panic!("{}: {said}", file.display()));
    }
    assert!(objects > 30, "only {objects} objects were looked at");
}

#[test]
fn what_has_another_form_is_found() {
    let Some(kubeconform) = Kubeconform::get() else {
        return;
    };
    for (wrong, said) in [
        (
            "{apiVersion: v1, kind: Service, metadata: {name: x}, spec: {selctor: {}}}",
            "selctor",
        ),
        (
            "{apiVersion: apps/v1, kind: Deployment, metadata: {name: x}, spec: {replicas: two}}",
            "replicas",
        ),
        (
            "{apiVersion: credence.dev/v1alpha1, kind: ApiCollection, metadata: {name: x}, spec: {url: y}}",
            "url",
        ),
        (
            "{apiVersion: v1, kind: Servce, metadata: {name: x}}",
            "servce",
        ),
    ] {
        let refusal = kubeconform.check(wrong).unwrap_err().to_lowercase();
        assert!(refusal.contains(said), "{wrong}: {refusal}");
    }
}

fn manifests(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            manifests(&path, found);
        } else if path
            .extension()
            .is_some_and(|extension| extension == "yaml")
        {
            found.push(path);
        }
    }
}
