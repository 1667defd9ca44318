//! The sidecar's program: one thread, told everything by its environment.

use std::process::ExitCode;

use credence_sidecar::run::Sidecar;
use credence_sidecar::settings::Settings;
use credence_sidecar::{hardening, logs, shutdown};

fn main() -> ExitCode {
    logs::init();
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn start() -> anyhow::Result<()> {
    hardening::harden()
        .map_err(|error| anyhow::anyhow!("cannot shield the memory of this process: {error}"))?;
    let settings = Settings::read(|variable| std::env::var_os(variable))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        // For name resolution and the token's file: few, and rarely.
        .max_blocking_threads(64)
        .build()?;
    let ended =
        runtime.block_on(async { Sidecar::bind(settings)?.run(shutdown::asked_for()?).await });
    // A name that is still being resolved must not hold up the end.
    runtime.shutdown_background();
    ended
}
