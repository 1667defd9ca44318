//! Tokens of an OAuth server that is not ours, and is certified.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use credence_tests::pki::Authority;
use credence_tests::{javascript, wait};
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
    fn start(stage: &Stage, clients: &Value) -> Result<Self> {
        let modules = javascript::modules()?;
        let authority = Authority::new("the authority of the OAuth server")?;
        let identity = authority.server("localhost", &["localhost"], &[])?;
        let folder = tempfile::tempdir()?;
        let (certificate, key) = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
        fs::write(&certificate, &identity.certificate)?;
        fs::write(&key, &identity.key)?;
        let mut node = Command::new("node");
        node.arg(script::source("oidc/server.mjs"))
            .env("MODULES", modules)
            .env("CERTIFICATE", certificate)
            .env("CERTIFICATE_KEY", key)
            .env("CLIENTS", clients.to_string())
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

fn clients() -> Value {
    let machine = |id: &str, secret: &str, authentication: &str| {
        json!({
            "client_id": id, "client_secret": secret, "token_endpoint_auth_method": authentication,
            "grant_types": ["client_credentials"], "redirect_uris": [], "response_types": [],
            "scope": "orders.read",
        })
    };
    json!([
        machine(ODD_ID, ODD_SECRET, "client_secret_basic"),
        machine("post", ODD_SECRET, "client_secret_post"),
        {
            "client_id": "app", "client_secret": PLAIN_SECRET,
            "token_endpoint_auth_method": "client_secret_basic",
            "grant_types": ["authorization_code", "refresh_token"],
            "redirect_uris": ["https://app.example.com/back"], "response_types": ["code"],
        },
    ])
}

pub(crate) fn issues_rotates_and_notices_reuse(stage: &Stage) -> Result<String> {
    let oidc = Oidc::start(stage, &clients())?;
    let seed = oidc.ask("/seed?client=app")?["token"].clone();
    let seed = seed.as_str().context("a token")?;
    for planted in [ODD_SECRET, PLAIN_SECRET, seed] {
        stage.plant(planted.to_owned());
    }
    let url = format!("{}/token", oidc.base);
    let credentials = |authentication: &str, id: &str| {
        json!({"oauth2ClientCredentials": {"token": {
            "url": url, "scopes": ["orders.read"],
            "client": {"id": id, "secret": "${secret.key}", "authentication": authentication},
        }}})
    };
    let refresh = json!({"oauth2RefreshToken": {"token": {
        "url": url, "client": {"id": "app", "secret": "${secret.key}"},
    }}});
    let key = [("key", ODD_SECRET)];
    let mut objects = oidc.collection("basic", &credentials("Basic", ODD_ID), &key);
    objects.extend(oidc.collection("post", &credentials("Body", "post"), &key));
    let grant = [("key", PLAIN_SECRET), ("refresh-token", seed)];
    objects.extend(oidc.collection("app", &refresh, &grant));

    let mut credence = stage.credence(&objects)?;
    let started = [("basic", ODD_ID), ("post", "post"), ("app", "app")];
    for (name, client) in started {
        wait::until(&format!("{name} has a token"), PATIENCE, || {
            let answer = caller::get(credence.proxy, &format!("/{name}/orders"), &[])?;
            if answer.status == 503 {
                return Ok(None);
            }
            ensure!(answer.status == 200, "{answer:?}");
            let said: Value = serde_json::from_str(&answer.text())?;
            ensure!(said["client"] == client, "{said}");
            Ok(Some(()))
        })?;
    }
    let first = works_until(&oidc, &credence, 3)?;
    // What a provider has replaced survives.
    credence = stage.restart(credence)?;
    let last = works_until(&oidc, &credence, first + 2)?;
    let stats = oidc.ask("/stats")?;
    ensure!(stats["refused"] == json!([]), "{stats}");
    ensure!(stats["late"] == 0, "{stats}");

    // Somebody else has got hold of the first one: the server ends the grant.
    let thief = oidc.ask(&format!("/steal?client=app&token={seed}"))?;
    ensure!(thief["status"] == 400, "{thief}");
    wait::until("the reuse is told", PATIENCE, || {
        let answer = caller::get(credence.proxy, "/app/orders", &[])?;
        Ok(answer
            .text()
            .contains("reauthorization-required")
            .then_some(()))
    })?;
    let said = credence.said()?;
    ensure!(
        said.contains("put the new refresh token into the Secret"),
        "{said}"
    );
    // The others are not concerned.
    let answer = caller::get(credence.proxy, "/post/orders", &[])?;
    ensure!(answer.status == 200, "{answer:?}");
    let calls = &stats["calls"];
    stage.end(credence)?;
    Ok(format!(
        "{last} refreshes of the one grant, {calls} calls, none late"
    ))
}

/// Calls until the server has granted so many tokens for a refresh token; every
/// call must be answered. The number that it has granted.
fn works_until(oidc: &Oidc, credence: &Credence, count: u64) -> Result<u64> {
    wait::until("tokens are refreshed", PATIENCE, || {
        let answer = caller::get(credence.proxy, "/app/orders", &[])?;
        // Only at the very beginning is there none.
        ensure!(matches!(answer.status, 200 | 503), "{answer:?}");
        let granted = oidc.ask("/stats")?["granted"]["app"].as_u64().unwrap_or(0);
        Ok((granted >= count).then_some(granted))
    })
}
