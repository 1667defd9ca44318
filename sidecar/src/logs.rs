//! Where the program says what it does: standard error.

use std::io::IsTerminal;

/// Writes for people on a terminal, and JSON with stable keys elsewhere.
///
/// # Panics
/// When called twice.
pub fn init() {
    let logs = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::INFO)
        .with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        logs.with_target(false).init();
    } else {
        logs.json().flatten_event(true).init();
    }
}
