//! `probe`: what tests run in pods, as the app that makes calls and as the
//! provider that answers them. One static binary, JSON on standard output.

mod client;
mod files;
mod issuer;
mod load;
mod provider;
mod serving;
mod stream;
mod ticks;

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
    /// Make one call and read the answer for as long as it comes; print when
    /// it began and when it ended.
    Stream(stream::Stream),
    /// Wait until told to end.
    Hold,
    /// Print the environment.
    Env,
    /// Print files, and all files below folders.
    Cat(files::Cat),
    /// Be an HTTPS server that wants a key.
    Provider(provider::Provider),
    /// Be an HTTPS server that gives tokens, and wants them.
    Issuer(issuer::Issuer),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let told = told()?;
    match Arguments::parse().command {
        Action::Call(call) => unless(told, call.run()).await,
        // It ends in its own way.
        Action::Load(load) => load.run(told).await,
        Action::Stream(stream) => unless(told, stream.run()).await,
        Action::Hold => {
            told.await;
            Ok(())
        }
        Action::Env => files::environment(),
        Action::Cat(cat) => cat.run(),
        Action::Provider(provider) => unless(told, provider.run()).await,
        Action::Issuer(issuer) => unless(told, issuer.run()).await,
    }
}

async fn unless(
    told: impl Future<Output = ()>,
    work: impl Future<Output = Result<()>>,
) -> Result<()> {
    tokio::select! {
        result = work => result,
        () = told => Ok(()),
    }
}

/// The first process of a container gets no default action for signals.
fn told() -> Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
