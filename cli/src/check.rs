//! `credence check`: what keeps an installation from working, and what to do.
//!
//! ```text
//! cluster ─► gather ─► facts ─► judge ─► findings ─► report
//! ```
//!
//! Gathering only reads, with one exception that changes nothing either: a pod
//! that asks for a sidecar is sent as a dry run, since only the API server can
//! tell whether the API server reaches the injector. No Secret is read.

mod cluster;
mod facts;
mod finding;
mod gather;
mod grants;
mod judge;
mod report;
mod rights;

use std::io::Write;

use anyhow::Context as _;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use crate::args::{CheckArgs, Output};
use crate::exit::Exit;
use crate::run::paint;
use cluster::{CONNECT, Cluster};
use facts::Places;

/// Looks at the cluster and says what it found.
///
/// # Errors
/// When no cluster is configured, or the output cannot be written.
pub(crate) async fn run(args: &CheckArgs, out: &mut impl Write) -> anyhow::Result<Exit> {
    let places = Places {
        operator: args.operator_namespace.clone(),
        only: args.namespace.clone(),
    };
    let config = config(args).await.context("no cluster is configured")?;
    let url = config.cluster_url.to_string();
    let client = Client::try_from(config).context("the cluster cannot be addressed")?;
    let facts = gather::facts(&Cluster::new(client), url, places).await;
    let sections = judge::judge(&facts);
    match args.output {
        Output::Text => report::text(&sections, paint(), out)?,
        Output::Json => report::json(&sections, out)?,
    }
    Ok(match finding::any_failure(&sections) {
        true => Exit::Failed,
        false => Exit::Success,
    })
}

/// What `kubectl` would use, given the same flags.
async fn config(args: &CheckArgs) -> anyhow::Result<Config> {
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
