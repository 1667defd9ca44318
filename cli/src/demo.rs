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
mod key;
mod manifests;
mod provider;

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use credence_core::Environment;
use hyper::Method;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::args::DemoArgs;
use crate::exit::Exit;
use crate::listening::Listening;
use crate::run::{paint, signals};
use crate::schema::Schemas;
use crate::session::Session;
use crate::source::Source;
use crate::table::Paint;
use api::Api;
use authority::Authority;
use caller::Answer;
use provider::{Desk, Provider};

/// Plays the story, and leaves it running unless told to end.
///
/// # Errors
/// When the machine refuses: a port, a folder, randomness.
pub(crate) async fn run(args: DemoArgs) -> anyhow::Result<Exit> {
    let DemoArgs { exit } = args;
    let shutdown = signals()?;
    let authority = Authority::generate()?;
    let provider = Provider::bind(authority.server()?, Api::all()?).await?;
    let folder = tempfile::Builder::new()
        .prefix("credence-demo-")
        .tempdir()?;
    let mut stage = Stage {
        desk: provider.desk(),
        provider: provider.address()?,
        paint: paint(),
        out: io::stdout(),
        failures: 0,
    };
    manifests::write(
        folder.path(),
        stage.desk.apis(),
        stage.provider,
        &authority.pem(),
    )?;
    let (end, ended) = watch::channel(());
    let mut tasks = JoinSet::new();
    tasks.spawn(provider.run());
    let mut proxies = Vec::new();
    for environment in [Environment::Development, Environment::Live] {
        let session = session(folder.path(), environment)?;
        proxies.push((environment, session.proxy_address()));
        let mut ended = ended.clone();
        tasks.spawn(session.serve(async move { _ = ended.changed().await }, |_| {}));
    }
    stage.introduce(folder.path())?;
    stage.play(&authority, &proxies).await?;
    if !exit {
        stage.invite(&proxies)?;
        shutdown.await;
    }
    // The provider never ends by itself; what it still talks to is drained.
    drop(end);
    for _ in &proxies {
        tasks.join_next().await;
    }
    stage.conclude()
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
    let (session, _) = Session::start(source, &Listening::anywhere())?;
    Ok(session)
}

/// As a developer writes it.
fn url(proxy: SocketAddr, path: &str) -> String {
    format!("http://localhost:{}/{path}", proxy.port())
}

/// What the story needs, and what it counts.
struct Stage {
    desk: Arc<Desk>,
    provider: SocketAddr,
    paint: Paint,
    out: io::Stdout,
    failures: usize,
}

/// A call, as it is told.
struct Exchange {
    what: &'static str,
    request: String,
    /// The credential that reached the provider, redacted; none if no request
    /// did.
    seen: Option<String>,
    answer: String,
    /// Whether all of this is as it must be.
    right: bool,
}

impl Stage {
    fn introduce(&mut self, folder: &Path) -> anyhow::Result<()> {
        let Self { out, paint, .. } = self;
        writeln!(
            out,
            "{}",
            paint.bold("A provider that answers nobody without the right key")
        )?;
        writeln!(out, "  https://{}/", self.provider)?;
        let heading =
            "\nWhat a developer writes (there is no key in it, and it serves both environments)";
        writeln!(out, "{}", paint.bold(heading))?;
        writeln!(out, "  {}/", folder.display())?;
        if let Some(first) = self.desk.apis().first() {
            for line in manifests::collection(first, self.provider)?.lines() {
                writeln!(out, "    {line}")?;
            }
        }
        Ok(())
    }

    async fn play(
        &mut self,
        authority: &Authority,
        proxies: &[(Environment, SocketAddr)],
    ) -> anyhow::Result<()> {
        let desk = self.desk.clone();
        self.heading("Straight to the provider: the app holds no key, so it is refused")?;
        let client = authority.client()?;
        for api in desk.apis() {
            let (method, path) = &api.call;
            let path = format!("/{}{path}", api.name);
            let answer = caller::directly(client.clone(), self.provider, method, &path).await?;
            let url = format!("https://{}{path}", self.provider);
            self.judge(api, &url, &answer, answer.status == 401)?;
        }
        for (environment, proxy) in proxies {
            self.heading(&format!(
                "Through Credence, {environment}: the same call, answered"
            ))?;
            for api in desk.apis() {
                let (method, path) = &api.call;
                let path = format!("{}{path}", api.name);
                let answer = caller::through(*proxy, method, &format!("/{path}")).await?;
                let right = answer.status == 200
                    && answer.body["environment"] == environment.as_str()
                    && answer.slug.is_none();
                self.judge(api, &url(*proxy, &path), &answer, right)?;
            }
            self.stranger(*proxy).await?;
        }
        Ok(())
    }

    /// A collection that does not exist reaches no provider.
    async fn stranger(&mut self, proxy: SocketAddr) -> anyhow::Result<()> {
        let answer = caller::through(proxy, &Method::GET, "/stranger/").await?;
        let seen = self.desk.take_seen();
        let right = answer.slug.as_deref() == Some("unknown-collection") && seen.is_none();
        let slug = answer.slug.unwrap_or_default();
        self.tell(Exchange {
            what: "a collection that there is not",
            request: format!("GET {}", url(proxy, "stranger/")),
            seen,
            answer: format!("{} Credence-Error: {slug}", answer.status),
            right,
        })
    }

    fn heading(&mut self, text: &str) -> anyhow::Result<()> {
        writeln!(self.out, "\n{}", self.paint.bold(text))?;
        Ok(())
    }

    /// What came of a call of the story.
    fn judge(&mut self, api: &Api, url: &str, answer: &Answer, right: bool) -> anyhow::Result<()> {
        let seen = self.desk.take_seen();
        self.tell(Exchange {
            what: api.method,
            request: format!("{} {url}", api.call.0),
            right: right && seen.is_some(),
            seen,
            answer: format!("{} {}", answer.status, answer.body),
        })
    }

    fn tell(&mut self, exchange: Exchange) -> anyhow::Result<()> {
        let Exchange {
            what,
            request,
            seen,
            answer,
            right,
        } = exchange;
        let seen = seen.unwrap_or_else(|| "nothing".to_owned());
        let answer = if right {
            self.paint.good(&answer)
        } else {
            self.failures += 1;
            self.paint.bad(&format!("{answer}   WRONG"))
        };
        writeln!(self.out, "  {what}")?;
        writeln!(self.out, "    request       {request}")?;
        writeln!(self.out, "    provider saw  {seen}")?;
        writeln!(self.out, "    answer        {answer}")?;
        Ok(())
    }

    fn invite(&mut self, proxies: &[(Environment, SocketAddr)]) -> anyhow::Result<()> {
        self.heading("Try it (Ctrl-C ends everything and removes the folder)")?;
        for (_, proxy) in proxies {
            writeln!(
                self.out,
                "  curl -i '{}'",
                url(*proxy, "chat/models?limit=2")
            )?;
        }
        Ok(())
    }

    fn conclude(&mut self) -> anyhow::Result<Exit> {
        if self.failures == 0 {
            self.heading("Every call did what it must.")?;
            return Ok(Exit::Success);
        }
        let failures = self.failures;
        self.heading(&format!("{failures} calls did not do what they must."))?;
        Ok(Exit::Failed)
    }
}
