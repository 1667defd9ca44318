//! Tokens of an OAuth server that is not ours, and is certified.

pub(crate) mod proofs;
pub(crate) mod rotation;

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use credence_tests::pki::Authority;
use credence_tests::{javascript, packages, wait};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::caller;
use crate::credence::Credence;
use crate::manifests::{Api, secret};
use crate::script;
use crate::server::Server;
use crate::stage::Stage;

/// How long its tokens hold, in seconds.
const LIFE: u64 = 4;

/// Reached only by what hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// Of the client that `Basic` must encode.
const ODD_ID: &str = "machine:one+a/%";
const ODD_SECRET: &str = "sec/ret+%3A:&=?~ x9f1";
const PLAIN_SECRET: &str = "plain-secret-4e77b0";

/// The server, with what it needs.
struct Oidc {
    base: String,
    authority: Authority,
    _server: Server,
    _folder: TempDir,
}

impl Oidc {
    /// It knows these clients, and takes assertions by the holder of this key.
    fn start(stage: &Stage, clients: &Value, assertions: &str) -> Result<Self> {
        packages::programs(&[("curl", "curl")])?;
        let modules = javascript::modules()?;
        let authority = Authority::new("the authority of the OAuth server")?;
        let identity = authority.server("localhost", &["localhost"], &[])?;
        let folder = tempfile::tempdir()?;
        let file = |name: &str, content: &str| {
            let path = folder.path().join(name);
            fs::write(&path, content).map(|()| path)
        };
        let mut node = Command::new("node");
        node.arg(script::source("oidc/server.mjs"))
            .env("MODULES", modules)
            .env("CERTIFICATE", file("tls.crt", &identity.certificate)?)
            .env("CERTIFICATE_KEY", file("tls.key", &identity.key)?)
            .env("AUTHORITY", file("ca.crt", authority.certificate())?)
            .env("CLIENTS", clients.to_string())
            .env("ASSERTION_KEY", assertions)
            .env("LIFE", LIFE.to_string());
        let (server, port) = Server::start(stage, "oidc-provider", &mut node, |said| {
            said.lines()
                .find_map(|line| line.strip_prefix("port ")?.parse::<u16>().ok())
        })?;
        Ok(Self {
            base: format!("https://localhost:{port}"),
            authority,
            _server: server,
            _folder: folder,
        })
    }

    /// What a path of its own says.
    fn ask(&self, path: &str) -> Result<Value> {
        let url = format!("{}{path}", self.base);
        let authority = tempfile::NamedTempFile::new()?;
        fs::write(authority.path(), self.authority.certificate())?;
        let output = Command::new("curl")
            .args(["--silent", "--show-error", "--fail", "--cacert"])
            .arg(authority.path())
            .arg(url)
            .output()?;
        ensure!(output.status.success(), "{output:?}");
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// What it has seen, once it has granted each of these clients two tokens.
    fn granted_twice(&self, clients: &[&str]) -> Result<Value> {
        wait::until("tokens are renewed", PATIENCE, || {
            let stats = self.ask("/stats")?;
            let granted = |client: &&str| stats["granted"][*client].as_u64() >= Some(2);
            Ok(clients.iter().all(granted).then_some(stats))
        })
    }

    /// A collection for its API whose token is obtained by this method.
    fn collection(&self, name: &str, auth: &Value, values: &[(&str, &str)]) -> Vec<Value> {
        let certificate = self.authority.certificate();
        let mut api = Api::new(name, format!("{}/api", self.base), certificate);
        api.spec = json!({"auth": auth});
        let mut objects = api.objects();
        objects.retain(|object| object["kind"] != "Secret");
        for environment in ["dev", "live"] {
            objects.push(secret(&format!("{name}-{environment}"), values));
        }
        objects
    }
}

/// Waits until a collection's token is there and its API says whose it is.
fn answers_as(credence: &Credence, name: &str, client: &str) -> Result<()> {
    wait::until(&format!("{name} has a token"), PATIENCE, || {
        let answer = caller::get(credence.proxy, &format!("/{name}/orders"), &[])?;
        if answer.status == 503 {
            return Ok(None);
        }
        ensure!(answer.status == 200, "{answer:?}");
        let said: Value = serde_json::from_str(&answer.text())?;
        ensure!(said["client"] == client, "{said}");
        Ok(Some(()))
    })
}
