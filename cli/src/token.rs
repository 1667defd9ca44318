//! `credence token`: what is known of a collection's tokens, and never a token.
//!
//! ```text
//! manifests ─► plan ─► order ┐
//!            state folder ───┴─► report      (with --filename)
//! a cluster's status ──────────► report
//! ```

mod kept;
mod report;
mod reported;

use std::io::Write;

use crate::args::{Output, TokenArgs};
use crate::exit::Exit;
use crate::run::{paint, tell};

/// Shows what is known.
///
/// # Errors
/// When the cluster cannot be asked, or the output cannot be written.
pub(crate) async fn run(args: &TokenArgs, out: &mut impl Write) -> anyhow::Result<Exit> {
    let report = match args.files.is_empty() {
        true => reported::report(args).await?,
        false => match kept::report(args).await {
            Ok(report) => Ok(report),
            Err(kept::Unknown::Start(error)) => return Ok(tell(&error)),
            Err(error) => Err(error.to_string()),
        },
    };
    let report = match report {
        Ok(report) => report,
        Err(reason) => {
            eprintln!("{reason}");
            return Ok(Exit::Failed);
        }
    };
    match args.output {
        Output::Text => write!(out, "{}", report.text(paint()))?,
        Output::Json => writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?,
    }
    Ok(match report.ready {
        true => Exit::Success,
        false => Exit::Failed,
    })
}
