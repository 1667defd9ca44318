//! Calling Helm.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use credence_tests::thirdparty::{HELM, HELM_3, KUBERNETES, ThirdParty};
use serde_json::Value;

use crate::chart;

/// Whether nothing may be left out.
pub(crate) fn demanded() -> bool {
    let variables = ["CREDENCE_TEST_CLUSTER", "CI"].iter();
    let mut values = variables.filter_map(std::env::var_os);
    values.any(|value| !value.is_empty())
}

/// Helm, if it is to be had.
pub(crate) struct Helm {
    program: PathBuf,
}

impl Helm {
    /// Builds Helm where `make test` or CI wants to see the chart tested;
    /// elsewhere only looks for it, since the build needs Go, a network and
    /// minutes.
    pub(crate) fn get() -> Option<Self> {
        Self::of(&HELM)
    }

    /// The version before.
    pub(crate) fn previous() -> Option<Self> {
        Self::of(&HELM_3)
    }

    fn of(helm: &ThirdParty) -> Option<Self> {
        if !demanded() && !helm.is_built().unwrap_or(false) {
            eprintln!(
                "not run: {} is not in the cache; `make test` builds it",
                helm.name
            );
            return None;
        }
        let program = helm.binary().unwrap();
        Some(Self { program })
    }

    /// Neither the user's configuration nor a cluster is looked at.
    fn run(&self, arguments: &[&str]) -> Output {
        let nowhere = std::env::temp_dir().join("credence-chart-tests");
        let mut command = Command::new(&self.program);
        for variable in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
            command.env(variable, &nowhere);
        }
        let command = command.env("KUBECONFIG", "/dev/null").args(arguments);
        command.output().unwrap()
    }

    pub(crate) fn lint(&self) -> Output {
        self.run(&["lint", "--strict", chart().to_str().unwrap()])
    }

    /// `helm template` with further arguments.
    pub(crate) fn template(&self, arguments: &[&str]) -> Output {
        let chart = chart();
        let mut all = vec!["template", "credence", chart.to_str().unwrap()];
        all.extend(["--namespace", "credence-system"]);
        all.extend(arguments);
        self.run(&all)
    }

    /// What is rendered with the values in a file.
    pub(crate) fn render(&self, values: &Path) -> String {
        // Without a cluster each Helm has a version of Kubernetes in mind, and
        // Helm 3 one that is long gone.
        let kubernetes = KUBERNETES.version().unwrap();
        let values_file = values.to_str().unwrap();
        let output = self.template(&["--values", values_file, "--kube-version", &kubernetes]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {said}", values.display());
        String::from_utf8(output.stdout).unwrap()
    }

    /// The objects that are rendered with these settings.
    pub(crate) fn objects(&self, settings: &[&str]) -> Vec<Value> {
        let settings: Vec<&str> = settings.iter().flat_map(|s| ["--set", *s]).collect();
        let output = self.template(&settings);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        let text = String::from_utf8(output.stdout).unwrap();
        serde_yaml::from_multiple(&text).unwrap()
    }
}
