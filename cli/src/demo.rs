//! `credence demo`: the main job, end to end, on this machine.
//!
//! ```text
//! client ──────────────────────────────────────────────► provider   401
//! client ─► proxy (development) ─► adds the key, TLS ──► provider   200
//! client ─► proxy (live) ────────► adds the key, TLS ──► provider   200
//! ```
//!
//! Nothing is played: the proxies read the folder that is written here as
//! `credence run` does, and every call crosses real sockets.

mod api;
mod authority;
mod caller;
mod catalogue;
mod certificate;
mod key;
mod manifests;
mod provider;
mod request;
mod story;

use std::path::Path;

use credence_core::Environment;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::args::DemoArgs;
use crate::exit::Exit;
use crate::listening::Listening;
use crate::run::{paint, signals};
use crate::schema::Schemas;
use crate::session::Session;
use crate::source::Source;
use crate::tokens::storage::Storage;
use authority::Authority;
use provider::Provider;
use story::{Door, Story};

/// Plays the story, and leaves it running unless told to end.
///
/// # Errors
/// When the machine refuses: a port, a folder, randomness.
pub(crate) async fn run(args: DemoArgs) -> anyhow::Result<Exit> {
    let DemoArgs { exit } = args;
    let shutdown = signals()?;
    let authority = Authority::generate()?;
    let apis = catalogue::apis(&authority)?;
    let provider = Provider::bind(authority.server()?, apis).await?;
    let folder = tempfile::Builder::new()
        .prefix("credence-demo-")
        .tempdir()?;
    let (desk, address) = (provider.desk(), provider.address()?);
    manifests::write(folder.path(), desk.apis(), address, &authority.pem())?;
    let (end, ended) = watch::channel(());
    let mut tasks = JoinSet::new();
    tasks.spawn(provider.run());
    let mut doors = Vec::new();
    for environment in [Environment::Development, Environment::Live] {
        let session = session(folder.path(), environment)?;
        doors.push(Door {
            environment,
            address: session.proxy_address(),
            base: session.base(),
        });
        let mut ended = ended.clone();
        tasks.spawn(session.serve(async move { _ = ended.changed().await }, |_| {}));
    }
    let proxies = doors.len();
    let mut story = Story::new(desk, address, doors, paint());
    story.introduce(folder.path())?;
    story.play(&authority).await?;
    if !exit {
        story.invite()?;
        shutdown.await;
    }
    // The provider never ends by itself; what it still talks to is drained.
    drop(end);
    for _ in 0..proxies {
        tasks.join_next().await;
    }
    story.conclude()
}

fn session(folder: &Path, environment: Environment) -> anyhow::Result<Session> {
    let source = Source {
        paths: vec![folder.to_owned()],
        environment: Some(environment),
        namespace: None,
        service_account: "default".to_owned(),
        variables: None,
        schemas: Schemas::load(),
    };
    let (session, _) = Session::start(source, &Listening::anywhere(), Storage::memory())?;
    Ok(session)
}
