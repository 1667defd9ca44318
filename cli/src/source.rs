//! From files to what is served.

use std::path::PathBuf;

use credence_core::Environment;
use jiff::Timestamp;

use crate::files::File;
use crate::inventory::{self, AmbiguousNamespace};
use crate::plan::{Consumer, Plan, plan};
use crate::problem::{self, Problem};
use crate::schema::Schemas;
use crate::variables::Variables;

/// Which files are served, and as whose.
#[derive(Debug)]
pub(crate) struct Source {
    /// As given.
    pub(crate) paths: Vec<PathBuf>,
    /// What `--environment` says.
    pub(crate) environment: Option<Environment>,
    /// What `--namespace` says.
    pub(crate) namespace: Option<String>,
    /// What `--service-account` says.
    pub(crate) service_account: String,
    /// Where Secrets come from besides the files, with `--env-secrets`.
    pub(crate) variables: Option<Variables>,
    /// For checking.
    pub(crate) schemas: Schemas,
}

/// What the files say is to be served.
#[derive(Debug)]
pub(crate) struct Served {
    /// The namespace that calls come from.
    pub(crate) namespace: String,
    /// Its environment.
    pub(crate) environment: Environment,
    /// What is served.
    pub(crate) plan: Plan,
    /// Kinds that were not looked at; empty when there are none.
    pub(crate) ignored: String,
}

/// The files cannot be served as they are.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    /// An API server would refuse them, too.
    #[error("the manifests have errors")]
    Problems(Vec<Problem>),
    /// They leave open what is meant.
    #[error(transparent)]
    Namespace(#[from] AmbiguousNamespace),
}

impl Source {
    /// Decides what is served.
    ///
    /// # Errors
    /// When anything at all is wrong: half of an edit is never served.
    pub(crate) fn read(
        &self,
        files: &[File],
        revision: u64,
        now: Timestamp,
    ) -> Result<Served, Refused> {
        let (mut inventory, mut problems) = inventory::read(files, &self.schemas);
        let namespace = match &self.namespace {
            Some(namespace) => Ok(namespace.clone()),
            None => inventory.only_namespace(),
        };
        if let Ok(namespace) = &namespace {
            inventory.put_into(namespace);
        }
        problems.extend(inventory.duplicates());
        if !problems.is_empty() {
            problem::sort(&mut problems);
            return Err(Refused::Problems(problems));
        }
        let namespace = namespace?;
        let environment = self
            .environment
            .or_else(|| inventory.environment(&namespace))
            .unwrap_or_default();
        let consumer = Consumer {
            namespace: &namespace,
            environment,
            service_account: &self.service_account,
            variables: self.variables.as_ref(),
        };
        Ok(Served {
            plan: plan(&inventory, &consumer, revision, now),
            namespace,
            environment,
            ignored: inventory::listed(&inventory.ignored),
        })
    }
}
