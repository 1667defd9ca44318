//! Calling kubeconform.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use credence_tests::thirdparty::{self, KUBECONFORM, KUBERNETES, PROMETHEUS_OPERATOR};
use serde_json::Value;
use tempfile::TempDir;

use super::written;
use crate::helm;
use crate::workspace;

/// kubeconform with a folder of schemas, if it is to be had.
pub(super) struct Kubeconform {
    program: PathBuf,
    schemas: TempDir,
}

impl Kubeconform {
    pub(super) fn get() -> Option<Self> {
        if !helm::demanded() && !KUBECONFORM.is_built().unwrap_or(false) {
            eprintln!("not run: kubeconform is not in the cache; `make test` builds it");
            return None;
        }
        let program = KUBECONFORM.binary().unwrap();
        let schemas = TempDir::new().unwrap();
        let write = |(name, schema): (String, Value)| {
            fs::write(schemas.path().join(name), schema.to_string()).unwrap();
        };
        let version = KUBERNETES.version().unwrap();
        let kubernetes = thirdparty::module("k8s.io/kubernetes", &version).unwrap();
        let api = fs::read(kubernetes.join("api/openapi-spec/swagger.json")).unwrap();
        written::of_api(&serde_json::from_slice(&api).unwrap()).for_each(write);
        let (module, version) = PROMETHEUS_OPERATOR;
        let definitions = thirdparty::module(module, version).unwrap();
        let definitions = definitions.join("example/prometheus-operator-crd");
        let of = |folder: &Path, files: &[&str]| {
            for file in files {
                let text = fs::read_to_string(folder.join(file)).unwrap();
                written::of_definition(&serde_yaml::from_str(&text).unwrap()).for_each(write);
            }
        };
        of(
            &definitions,
            &[
                "monitoring.coreos.com_podmonitors.yaml",
                "monitoring.coreos.com_prometheusrules.yaml",
            ],
        );
        of(
            &workspace().join("crds/yaml"),
            &["apicollections.yaml", "clusterapicollections.yaml"],
        );
        Some(Self { program, schemas })
    }

    /// How many objects there are in `manifests`, if all have the form of their
    /// kind; otherwise what is said of them.
    pub(super) fn check(&self, manifests: &str) -> Result<usize, String> {
        let file = "{{.ResourceKind}}{{.KindSuffix}}.json";
        let location = format!("{}/{file}", self.schemas.path().display());
        let mut child = Command::new(&self.program)
            .args([
                "-output",
                "json",
                "-summary",
                "-schema-location",
                &location,
                "-",
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(manifests.as_bytes()).unwrap();
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            return Err(said);
        }
        let report: Value = serde_json::from_str(&said).unwrap();
        assert_eq!(report["summary"]["skipped"], 0, "{said}");
        Ok(report["summary"]["valid"].as_u64().unwrap_or_default() as usize)
    }
}
