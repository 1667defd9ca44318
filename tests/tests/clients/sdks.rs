//! Official SDKs, with nothing changed but their base URL.

use std::process::Command;

use anyhow::{Result, ensure};
use credence_tests::thirdparty::STRIPE_MOCK;

use crate::caller;
use crate::manifests::{Api, DUMMY, KEY};
use crate::nginx::Nginx;
use crate::provider::Offer;
use crate::script;
use crate::server::Server;
use crate::stage::Stage;

pub(crate) fn openai_chats_streams_and_uploads(stage: &Stage) -> Result<String> {
    let (provider, credence) = stage.with_provider(Offer::Http1)?;
    let mut command = Command::new(stage.python()?);
    command.arg(script::source("openai_calls.py"));
    let said = script::run(stage, "openai", &credence.url("/api"), &mut command)?;
    ensure!(provider.state.refused() == 0, "the provider refused a call");
    stage.end(credence)?;
    Ok(format!("{said}; {} requests", provider.state.requests()))
}

pub(crate) fn stripe_creates_reads_and_is_told_its_errors(stage: &Stage) -> Result<String> {
    let python = stage.python()?;
    let mut mock = Command::new(STRIPE_MOCK.binary()?);
    mock.args(["-http-addr", "127.0.0.1:0"]);
    let listens = "Listening for HTTP at address: 127.0.0.1:";
    let (_mock, port) = Server::start(stage, "stripe-mock", &mut mock, |said| {
        said.lines()
            .find_map(|line| line.strip_prefix(listens)?.parse::<u16>().ok())
    })?;
    // stripe-mock takes any key of the right form; nginx wants this very one,
    // in a request in which nothing is left of the app's.
    let nginx = Nginx::start(
        stage,
        &format!(
            "map \"$http_authorization\" $good {{ default 0; \"Bearer {KEY}\" 1; }}
server {{
  listen 127.0.0.1:PORT ssl;
  location / {{
    if ($good = 0) {{ return 401; }}
    proxy_pass http://127.0.0.1:{port};
    proxy_set_header Authorization \"Bearer sk_test_123\";
  }}
}}"
        ),
    )?;
    let base = format!("https://localhost:{}", nginx.port);
    let credence = stage.credence(&Api::new("stripe", base, &nginx.authority).objects())?;
    let mut command = Command::new(python);
    command.arg(script::source("stripe_calls.py"));
    let said = script::run(stage, "stripe", &credence.url("/stripe"), &mut command)?;
    // The check is one: without the proxy's key the SDK's calls are refused.
    let status = nginx.status("/v1/charges", &format!("Bearer {DUMMY}"))?;
    ensure!(status == 401, "nginx answers {status} to the app's own key");
    let listed = caller::get(credence.proxy, "/stripe/v1/charges", &[])?;
    ensure!(listed.status == 200, "{listed:?}");
    stage.end(credence)?;
    Ok(said)
}
