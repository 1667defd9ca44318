//! Which cluster is meant.

use std::path::PathBuf;

use clap::Args;

/// The cluster that `kubectl` would use, given the same flags.
#[derive(Clone, Debug, Args)]
pub struct ClusterArgs {
    /// The kubeconfig file; without it the variable KUBECONFIG, then
    /// ~/.kube/config, then the ServiceAccount of the pod decides.
    #[arg(long, value_name = "PATH")]
    pub kubeconfig: Option<PathBuf>,
    /// The kubeconfig's context; without it its current one.
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
}
