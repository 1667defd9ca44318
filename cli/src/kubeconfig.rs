//! How a cluster is reached.

use std::time::Duration;

use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig};

use crate::args::ClusterArgs;

/// For a connection: two round trips across the world take less.
pub(crate) const CONNECT: Duration = Duration::from_secs(5);

/// What `kubectl` would use, given the same flags.
///
/// # Errors
/// When no cluster is configured.
pub(crate) async fn config(args: &ClusterArgs) -> anyhow::Result<Config> {
    let options = KubeConfigOptions {
        context: args.context.clone(),
        ..KubeConfigOptions::default()
    };
    let mut config = match (&args.kubeconfig, &args.context) {
        (Some(path), _) => {
            Config::from_custom_kubeconfig(Kubeconfig::read_from(path)?, &options).await?
        }
        (None, Some(_)) => Config::from_kubeconfig(&options).await?,
        (None, None) => Config::infer().await?,
    };
    config.connect_timeout = Some(CONNECT);
    Ok(config)
}
