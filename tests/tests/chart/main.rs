//! The chart: its files by themselves, and what Helm makes of them.
//!
//! Helm is one of the third-party programs that are built once. Where neither
//! it is there nor `make test` runs, the tests that need it say so and pass.

#![expect(
    clippy::unwrap_used,
    reason = "what fails outside a #[test] fails the test all the same"
)]

mod files;
mod helm;
mod monitoring;
mod refusals;
mod rendered;
mod rights;
mod rights_table;
mod schemas;
mod webhooks;

use std::path::PathBuf;

fn workspace() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn chart() -> PathBuf {
    workspace().join("charts/credence")
}
