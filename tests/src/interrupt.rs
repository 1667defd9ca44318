//! Ctrl-C and SIGTERM take the cluster down before the process ends.

use std::thread;

use anyhow::{Context, Result};
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

use crate::state::{State, change};
use crate::teardown;

/// From here on, an interrupted process takes the cluster in `state` down and
/// ends with code 130. (Nothing can be done about SIGKILL; then it is for the
/// next `down`.)
///
/// # Errors
/// The signals cannot be caught.
pub fn take_down_on_signal(state: State) -> Result<()> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let (mut interrupt, mut terminate) = {
        let _inside = runtime.enter();
        (
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
        )
    };
    thread::Builder::new()
        .name("interrupt".to_owned())
        .spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
            });
            eprintln!("interrupted: taking the cluster down");
            let _until_the_end = change();
            if let Err(error) = teardown::down(&state) {
                eprintln!("{error:#}");
            }
            leave();
        })
        .context("starting a thread")?;
    Ok(())
}

#[expect(
    clippy::exit,
    reason = "the other threads are in the middle of cases on a cluster that is gone"
)]
fn leave() -> ! {
    std::process::exit(130)
}
