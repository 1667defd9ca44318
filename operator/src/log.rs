//! The operator's own log, on standard error.

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

use crate::settings::{LogFormat, Settings};

/// What asks reports its errors; the library would repeat them.
const REPEATING: [(&str, LevelFilter); 2] = [
    ("kube_runtime", LevelFilter::ERROR),
    ("kube_client::client::builder", LevelFilter::OFF),
];

/// Installs the log for the process. What libraries say is shown from
/// warnings on: their traces hold requests.
///
/// # Errors
/// When there is one already.
pub fn install(settings: &Settings) -> Result<(), TryInitError> {
    let ours = match settings.verbose {
        0 => LevelFilter::INFO,
        1 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let filter = Targets::new()
        .with_default(LevelFilter::WARN)
        .with_targets(REPEATING)
        .with_target("credence_operator", ours);
    let log = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let registry = tracing_subscriber::registry().with(filter);
    match settings.log_format {
        LogFormat::Json => {
            let json = log.json().flatten_event(true);
            let json = json.with_current_span(false).with_span_list(false);
            registry.with(json).try_init()
        }
        LogFormat::Text => registry.with(log).try_init(),
    }
}
