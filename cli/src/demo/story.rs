//! What the demo does and tells.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use credence_core::Environment;

use super::api::Api;
use super::authority::Authority;
use super::caller::{self, Answer};
use super::manifests;
use super::provider::Desk;
use super::request::Request;
use crate::exit::Exit;
use crate::table::Paint;

/// A proxy of one environment.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    /// Whose credentials it adds.
    pub(crate) environment: Environment,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// What its URLs begin with.
    pub(crate) base: String,
}

impl Door {
    /// What a client writes into `Host`.
    fn host(&self) -> &str {
        self.base.trim_start_matches("http://")
    }
}

/// What is needed to tell it, and what is counted.
pub(crate) struct Story {
    desk: Arc<Desk>,
    provider: SocketAddr,
    doors: Vec<Door>,
    paint: Paint,
    out: io::Stdout,
    begun: bool,
    calls: usize,
    failures: usize,
}

/// One line: who was called, what reached the provider, what came back.
struct Line<'a> {
    to: &'a str,
    /// The credential that the provider saw; none if no request reached it.
    seen: Option<String>,
    answer: String,
    /// Whether all of this is as it must be.
    right: bool,
}

impl Story {
    /// A story that has not begun.
    pub(crate) fn new(
        desk: Arc<Desk>,
        provider: SocketAddr,
        doors: Vec<Door>,
        paint: Paint,
    ) -> Self {
        Self {
            desk,
            provider,
            doors,
            paint,
            out: io::stdout(),
            begun: false,
            calls: 0,
            failures: 0,
        }
    }

    /// Says what there is.
    pub(crate) fn introduce(&mut self, folder: &Path) -> anyhow::Result<()> {
        self.heading("A provider that answers nobody without the right credential")?;
        writeln!(self.out, "  {:13}https://{}/", "provider", self.provider)?;
        for door in &self.doors {
            writeln!(self.out, "  {:13}{}/", door.environment.as_str(), door.base)?;
        }
        self.heading("What a developer writes: no key is in it, and it serves both environments")?;
        writeln!(self.out, "  {}/", folder.display())?;
        if let Some(first) = self.desk.apis().first() {
            for line in manifests::collection(first, self.provider)?.lines() {
                writeln!(self.out, "    {line}")?;
            }
        }
        Ok(())
    }

    /// Makes every call.
    pub(crate) async fn play(&mut self, authority: &Authority) -> anyhow::Result<()> {
        let desk = Arc::clone(&self.desk);
        self.heading("The same call three times: by itself, in development, in live")?;
        self.columns()?;
        for api in desk.apis() {
            self.three_calls(api, authority).await?;
        }
        self.heading("What must not work")?;
        self.title("a credential that was made up", "the calls above")?;
        for api in desk.apis() {
            self.forgery(api, authority).await?;
        }
        self.strangers().await
    }

    async fn three_calls(&mut self, api: &Api, authority: &Authority) -> anyhow::Result<()> {
        let call = api.at_provider();
        self.title(api.title, &format!("{} {}", call.method, call.target))?;
        let answer = caller::directly(authority.client(None)?, self.provider, &call).await?;
        let seen = self.desk.take_seen();
        self.tell(&Line {
            to: "provider",
            right: answer.status == 401 && seen.as_deref() == Some("no credential"),
            seen,
            answer: shown(&answer),
        })?;
        for door in self.doors.clone() {
            let environment = door.environment.as_str();
            let answer = caller::through(door.address, door.host(), &call).await?;
            let right = answer.status == 200 && answer.body["environment"] == environment;
            let seen = self.desk.take_seen();
            self.tell(&Line {
                to: environment,
                right: right && seen.is_some(),
                seen,
                answer: shown(&answer),
            })?;
        }
        Ok(())
    }

    /// A credential that was made up opens nothing: the provider looks.
    async fn forgery(&mut self, api: &Api, authority: &Authority) -> anyhow::Result<()> {
        let stranger = match api.demand.certificate {
            true => Some(authority.issue("stranger")?),
            false => None,
        };
        let tls = authority.client(stranger.as_ref())?;
        let answer = caller::directly(tls, self.provider, &api.forged()).await?;
        let seen = self.desk.take_seen();
        self.tell(&Line {
            to: "provider",
            right: answer.status == 401 && seen.is_some(),
            seen,
            answer: shown(&answer),
        })
    }

    /// What the proxy refuses reaches no provider.
    async fn strangers(&mut self) -> anyhow::Result<()> {
        let call = Request::get("/chat/models");
        for (title, host, request, slug) in [
            (
                "a collection that there is not",
                None,
                Request::get("/stranger/"),
                "unknown-collection",
            ),
            (
                "a page in a browser",
                None,
                call.clone().with("origin", "https://evil.example"),
                "forbidden-origin",
            ),
            (
                "a name that leads here",
                Some("evil.example"),
                call,
                "forbidden-host",
            ),
        ] {
            self.title(title, &format!("{} {}", request.method, request.target))?;
            for door in self.doors.clone() {
                let host = host.unwrap_or_else(|| door.host());
                let answer = caller::through(door.address, host, &request).await?;
                let seen = self.desk.take_seen();
                self.tell(&Line {
                    to: door.environment.as_str(),
                    right: answer.slug.as_deref() == Some(slug) && seen.is_none(),
                    seen,
                    answer: shown(&answer),
                })?;
            }
        }
        Ok(())
    }

    fn columns(&mut self) -> anyhow::Result<()> {
        writeln!(self.out, "    {:13}{:47}answer", "to", "the provider saw")?;
        Ok(())
    }

    fn title(&mut self, title: &str, request: &str) -> anyhow::Result<()> {
        let title = format!("{title:62}{request}");
        writeln!(self.out, "  {}", self.paint.bold(title.trim_end()))?;
        Ok(())
    }

    fn heading(&mut self, text: &str) -> anyhow::Result<()> {
        let space = if self.begun { "\n" } else { "" };
        self.begun = true;
        writeln!(self.out, "{space}{}", self.paint.bold(text))?;
        Ok(())
    }

    fn tell(&mut self, line: &Line<'_>) -> anyhow::Result<()> {
        self.calls += 1;
        let seen = line.seen.as_deref().unwrap_or("nothing");
        let answer = if line.right {
            self.paint.good(&line.answer)
        } else {
            self.failures += 1;
            self.paint.bad(&format!("{}   WRONG", line.answer))
        };
        writeln!(self.out, "    {:13}{seen:47}{answer}", line.to)?;
        Ok(())
    }

    /// Says what can be tried.
    pub(crate) fn invite(&mut self) -> anyhow::Result<()> {
        self.heading("Try it (Ctrl-C ends everything and removes the folder)")?;
        for door in &self.doors {
            writeln!(self.out, "  curl -i '{}/chat/models?limit=2'", door.base)?;
        }
        Ok(())
    }

    /// Says how it ended.
    pub(crate) fn conclude(&mut self) -> anyhow::Result<Exit> {
        let Self {
            calls, failures, ..
        } = *self;
        if failures == 0 {
            self.heading(&format!("All {calls} calls did what they must."))?;
            return Ok(Exit::Success);
        }
        self.heading(&format!(
            "{failures} of {calls} calls did not do what they must."
        ))?;
        Ok(Exit::Failed)
    }
}

/// An answer in one line: what the proxy says by itself is named as such.
fn shown(answer: &Answer) -> String {
    match &answer.slug {
        Some(slug) => format!("{} Credence-Error: {slug}", answer.status),
        None => format!("{} {}", answer.status, answer.body),
    }
}
