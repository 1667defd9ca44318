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
use kube::Client;

use crate::args::{CheckArgs, Output};
use crate::exit::Exit;
use crate::kubeconfig;
use crate::run::paint;
use cluster::Cluster;
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
    let config = kubeconfig::config(&args.cluster)
        .await
        .context("no cluster is configured")?;
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
