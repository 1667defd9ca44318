//! What all cases stand on: the program under test, and where what was said is
//! collected.

use std::cell::{Cell, OnceCell, RefCell};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use credence_tests::{credence, python};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::Value;

use crate::credence::Credence;
use crate::manifests::{Api, KEY, LIVE_KEY};
use crate::provider::{Offer, Provider};

/// The open files that the largest case needs, on both sides of the proxy.
const FILES: u64 = 8192;

/// Set up once, before the first case.
pub(crate) struct Stage {
    binary: PathBuf,
    collected: PathBuf,
    /// Numbers what is collected.
    next: Cell<u32>,
    python: OnceCell<PathBuf>,
    planted: RefCell<Vec<String>>,
}

impl Stage {
    pub(crate) fn set() -> Result<Self> {
        allow_files()?;
        let collected = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients");
        if collected.exists() {
            fs::remove_dir_all(&collected)?;
        }
        fs::create_dir_all(&collected)?;
        Ok(Self {
            binary: credence::build(Path::new(env!("CARGO_TARGET_TMPDIR")))?,
            collected,
            next: Cell::new(1),
            python: OnceCell::new(),
            planted: RefCell::new(vec![KEY.to_owned(), LIVE_KEY.to_owned()]),
        })
    }

    /// The folder with all that any program has said.
    pub(crate) fn collected(&self) -> &Path {
        &self.collected
    }

    /// A new file in that folder.
    pub(crate) fn record(&self, name: &str) -> PathBuf {
        let number = self.next.get();
        self.next.set(number + 1);
        self.collected.join(format!("{number:02}-{name}"))
    }

    /// Starts the program under test with these objects.
    pub(crate) fn credence(&self, objects: &[Value]) -> Result<Credence> {
        Credence::start(&self.binary, self.record("credence.log"), objects)
    }

    /// Ends the program and starts it anew.
    pub(crate) fn restart(&self, credence: Credence) -> Result<Credence> {
        credence.restart(self.record("credence.log"))
    }

    /// A provider, and the program with a collection `api` for it.
    pub(crate) fn with_provider(&self, offer: Offer) -> Result<(Provider, Credence)> {
        let provider = Provider::start(offer)?;
        let api = Api::new("api", provider.base_url(), &provider.authority);
        let credence = self.credence(&api.objects())?;
        Ok((provider, credence))
    }

    /// A provider for the collection `api`, one that misbehaves for `bad`, and the
    /// program with these and `further` objects.
    pub(crate) fn with_both(&self, further: &[Value]) -> Result<(Provider, Provider, Credence)> {
        let good = Provider::start(Offer::Http1)?;
        let bad = Provider::start(Offer::Misbehaviour)?;
        let mut objects = Api::new("api", good.base_url(), &good.authority).objects();
        objects.extend(Api::new("bad", bad.base_url(), &bad.authority).objects());
        objects.extend_from_slice(further);
        let credence = self.credence(&objects)?;
        Ok((good, bad, credence))
    }

    /// Keeps what the program shows of itself, its metrics and its index, and
    /// ends it.
    pub(crate) fn end(&self, credence: Credence) -> Result<()> {
        fs::write(self.record("metrics"), credence.metrics()?)?;
        let index = crate::caller::get(credence.proxy, "/", &[])?;
        ensure!(index.status == 200, "{index:?}");
        fs::write(self.record("index"), index.text())?;
        credence.end()
    }

    /// Counts a secret in that must not be found in what is collected.
    pub(crate) fn plant(&self, secret: String) {
        self.planted.borrow_mut().push(secret);
    }

    /// All of these.
    pub(crate) fn planted(&self) -> Vec<String> {
        self.planted.borrow().clone()
    }

    /// The Python that has the SDKs.
    pub(crate) fn python(&self) -> Result<&Path> {
        if self.python.get().is_none() {
            // It is set here only.
            let _ = self.python.set(python::interpreter()?);
        }
        self.python.get().map(PathBuf::as_path).context("no Python")
    }
}

/// As many open files as it takes; what is started here inherits them.
fn allow_files() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|most| most < FILES) {
        ensure!(
            limit.maximum.is_none_or(|most| most >= FILES),
            "{FILES} open files are needed: raise the limit (ulimit -Hn)"
        );
        let more = Rlimit {
            current: Some(FILES),
            maximum: limit.maximum,
        };
        setrlimit(Resource::Nofile, more)?;
    }
    Ok(())
}
