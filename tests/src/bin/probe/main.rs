//! `probe`: what tests run in pods, as the app that makes calls and as the
//! provider that answers them. One static binary, JSON on standard output.

mod client;
mod files;
mod load;
mod provider;

use anyhow::Result;
use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

/// An app, and a provider, for tests.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Make one call and print the answer: {status, headers, body}.
    Call(client::Call),
    /// Call again and again; print how often each answer came, and when.
    Load(load::Load),
    /// Wait until told to end.
    Hold,
    /// Print the environment.
    Env,
    /// Print files, and all files below folders.
    Cat(files::Cat),
    /// Be an HTTPS server that wants a key.
    Provider(provider::Provider),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let work = async {
        match Arguments::parse().command {
            Action::Call(call) => call.run().await,
            Action::Load(load) => load.run().await,
            Action::Hold => std::future::pending().await,
            Action::Env => files::environment(),
            Action::Cat(cat) => cat.run(),
            Action::Provider(provider) => provider.run().await,
        }
    };
    // The first process of a container gets no default action for signals.
    tokio::select! {
        result = work => result,
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
    }
}
