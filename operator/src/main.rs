//! The Kubernetes operator of Credence.

use anyhow::Context as _;
use clap::Parser as _;
use credence_broker::hardening;
use credence_operator::settings::Settings;
use credence_operator::{log, run};

/// Two threads: one may decode a listing while the other answers the API
/// server. More would only cost memory.
#[tokio::main(worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let settings = Settings::parse();
    log::install(&settings)?;
    hardening::harden().context("cannot shield the memory of this process")?;
    run::run(settings).await
}
