//! Where the command says what happens: standard error.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// What our crates' names begin with. What others say is never more than a
/// warning: they do not know which of the values that pass them are secret.
const OURS: &str = "credence";
/// Says as an error what `check` reports as its finding.
const CLIENT: &str = "kube_client";

/// Says warnings, and more for each `-v`.
///
/// # Panics
/// When called twice.
pub(crate) fn init(verbose: u8) {
    let ours = match verbose {
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false);
    let filter = Targets::new()
        .with_default(LevelFilter::WARN)
        .with_target(OURS, ours)
        .with_target(CLIENT, LevelFilter::OFF);
    let registry = tracing_subscriber::registry().with(filter);
    match verbose {
        0 => registry.with(lines.without_time()).init(),
        _ => registry.with(lines).init(),
    }
}
