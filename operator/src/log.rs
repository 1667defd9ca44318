//! The operator's own log, on standard error.

use anyhow::anyhow;
use tracing_subscriber::EnvFilter;

use crate::settings::{LogFormat, Settings};

/// Installs the log for the process. What libraries say is shown from
/// warnings on: their traces hold requests.
///
/// # Errors
/// When there is one already.
pub fn install(settings: &Settings) -> anyhow::Result<()> {
    let level = match settings.verbose {
        0 => "info",
        1 => "debug",
        _ => "trace",
    };
    // What asks reports its errors; the library would repeat them.
    let filter = EnvFilter::new(format!(
        "warn,kube_runtime=error,kube_client::client::builder=off,credence_operator={level}"
    ));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let installed = match settings.log_format {
        LogFormat::Json => log
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .try_init(),
        LogFormat::Text => log.try_init(),
    };
    installed.map_err(|error| anyhow!(error))
}
