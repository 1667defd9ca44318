//! A namespace of a case's own, so that cases do not meet.

use anyhow::Result;
use credence_core::{Environment, names};
use serde_json::{Value, json};

use super::{APP, PATIENCE, SYSTEM, Shop, documents};
use crate::collect;

/// A namespace with the shop's Secrets and collections in it, opted in to
/// injection, with Pod Security `restricted`, in which the operator may read
/// what collections refer to.
pub struct Branch<'a> {
    shop: &'a Shop,
    namespace: String,
}

impl Shop {
    /// Does `work` in a branch that is opened for it, and begins to close that
    /// when the work is done: its pods may go on for some seconds
    /// ([`Shop::until_quiet`]). What it said goes where [`collect::closed`] says.
    /// After a failure it stays as it is, to be looked into.
    ///
    /// # Errors
    /// It cannot be opened or closed, or the work fails.
    pub fn with_branch<T>(
        &self,
        name: &str,
        environment: Environment,
        work: impl FnOnce(&Branch<'_>) -> Result<T>,
    ) -> Result<T> {
        let branch = Branch {
            shop: self,
            namespace: name.to_owned(),
        };
        branch.open(environment)?;
        let done = work(&branch)?;
        collect::namespace(&self.cluster, &collect::closed(), name)?;
        self.cluster
            .kubectl()
            .run(&["delete", "namespace", name, "--wait=false"])?;
        Ok(done)
    }
}

impl Branch<'_> {
    fn open(&self, environment: Environment) -> Result<()> {
        let kubectl = self.shop.cluster.kubectl();
        // Of a run that failed.
        kubectl.run(&[
            "delete",
            "namespace",
            &self.namespace,
            "--ignore-not-found",
            "--timeout=120s",
        ])?;
        let namespace = json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": self.namespace, "labels": {
                names::ENVIRONMENT: environment.as_str(),
                names::INJECT: "enabled",
                "pod-security.kubernetes.io/enforce": "restricted",
            }},
        });
        let lent = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": {"name": "credence-credentials"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "credence-credentials"},
            "subjects": [{"kind": "ServiceAccount", "name": "credence-operator", "namespace": SYSTEM}],
        });
        self.apply(&[namespace, lent])?;
        self.shop.stock(&self.namespace)?;
        let limit = format!("--timeout={}s", PATIENCE.as_secs());
        self.kubectl(&[
            "wait",
            "apicollections",
            "--all",
            "--for=condition=Ready",
            &limit,
        ])?;
        Ok(())
    }

    /// The shop that it is of.
    #[must_use]
    pub fn shop(&self) -> &Shop {
        self.shop
    }

    /// Its name.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Applies objects that name no namespace.
    ///
    /// # Errors
    /// One of them is refused.
    pub fn apply(&self, objects: &[Value]) -> Result<()> {
        self.shop.apply(&self.namespace, &documents(objects))
    }

    /// Standard output of a `kubectl` call in it.
    ///
    /// # Errors
    /// The call fails.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        let of = ["-n", self.namespace.as_str()];
        self.shop.cluster.kubectl().run(&[&of, arguments].concat())
    }

    /// An object or list in it.
    ///
    /// # Errors
    /// There is none.
    pub fn json(&self, arguments: &[&str]) -> Result<Value> {
        let of = ["-n", self.namespace.as_str()];
        self.shop.cluster.kubectl().json(&[&of, arguments].concat())
    }

    /// [`Shop::wait_for`] an object in it.
    ///
    /// # Errors
    /// Not within [`super::PATIENCE`].
    pub fn wait_for(&self, object: &str, condition: &str) -> Result<()> {
        self.shop.wait_for(&self.namespace, object, condition)
    }

    /// What the app in the pod is answered at `http://localhost:2733` + `path`.
    ///
    /// # Errors
    /// There is no answer.
    pub fn call(&self, pod: &str, path: &str) -> Result<Value> {
        let url = format!("http://localhost:2733{path}");
        let call = ["/probe", "call", &url];
        let kubectl = self.shop.cluster.kubectl();
        let answer = kubectl.exec(&self.namespace, pod, APP, &call)?;
        Ok(serde_json::from_str(&answer)?)
    }

    /// [`Shop::write_secret`] in it.
    ///
    /// # Errors
    /// It is refused.
    pub fn write_secret(&self, name: &str, key: &str, value: &str) -> Result<()> {
        self.shop.write_secret(&self.namespace, name, key, value)
    }
}
