//! Where the cluster's programs are.

use std::path::PathBuf;

use anyhow::Result;

use crate::thirdparty::{COREDNS, ETCD, HELM, KUBERNETES};

/// The third-party binaries, all of them there.
#[derive(Clone, Debug)]
pub struct Programs {
    /// etcd.
    pub etcd: PathBuf,
    /// CoreDNS.
    pub coredns: PathBuf,
    /// Helm.
    pub helm: PathBuf,
    kube: PathBuf,
}

impl Programs {
    /// Builds what is not in the cache yet.
    ///
    /// # Errors
    /// A build fails.
    pub fn get() -> Result<Self> {
        Ok(Self {
            etcd: ETCD.binary()?,
            kube: KUBERNETES.binary()?,
            coredns: COREDNS.binary()?,
            helm: HELM.binary()?,
        })
    }

    /// One of the programs in the Kubernetes binary.
    #[must_use]
    pub fn kube(&self, name: &str) -> PathBuf {
        self.kube.with_file_name(name)
    }
}
