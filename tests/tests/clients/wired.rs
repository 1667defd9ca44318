//! WebSocket and gRPC: Python's own on both ends.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;

use anyhow::Result;
use credence_tests::pki::Authority;
use tempfile::TempDir;

use crate::manifests::{Api, DUMMY, KEY};
use crate::script;
use crate::server::Server;
use crate::stage::Stage;

/// A server in Python that wants the credential.
struct Provider {
    port: u16,
    authority: String,
    _certificate: TempDir,
    _server: Server,
}

impl Provider {
    fn start(stage: &Stage, name: &str) -> Result<Self> {
        let authority = Authority::new("the provider's authority")?;
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let identity = authority.server(name, &["localhost"], &[loopback])?;
        let folder = tempfile::tempdir()?;
        let (certificate, key) = (
            folder.path().join("leaf.pem"),
            folder.path().join("key.pem"),
        );
        fs::write(&certificate, identity.certificate)?;
        fs::write(&key, identity.key)?;
        let mut command = Command::new(stage.python()?);
        command
            .arg(script::source(&format!("{name}.py")))
            .env("CERTIFICATE", certificate)
            .env("CERTIFICATE_KEY", key)
            .env("KEY", KEY)
            .env("DUMMY", DUMMY);
        let (server, port) = Server::start(stage, name, &mut command, |said| {
            let mut lines = said.lines();
            lines.find_map(|line| line.strip_prefix("port ")?.parse::<u16>().ok())
        })?;
        Ok(Self {
            port,
            authority: authority.certificate().to_owned(),
            _certificate: folder,
            _server: server,
        })
    }
}

pub(crate) fn websocket_says_everything_both_ways(stage: &Stage) -> Result<String> {
    let provider = Provider::start(stage, "websocket_server")?;
    let base = format!("https://localhost:{}/socket", provider.port);
    let credence = stage.credence(&Api::new("ws", base, &provider.authority).objects())?;
    let beginning = credence.at_rest()?;
    let mut command = Command::new(stage.python()?);
    command.arg(script::source("websocket_calls.py"));
    let said = script::run(stage, "websocket", &credence.url("/ws"), &mut command)?;
    credence.settles(beginning)?;
    stage.end(credence)?;
    Ok(said)
}

pub(crate) fn grpc_streams_and_keeps_its_trailers(stage: &Stage) -> Result<String> {
    let provider = Provider::start(stage, "grpc_server")?;
    let base = format!("https://localhost:{}/credence.test.Echo", provider.port);
    let credence = stage.credence(&Api::new("echo", base, &provider.authority).objects())?;
    let beginning = credence.at_rest()?;
    let mut command = Command::new(stage.python()?);
    command.arg(script::source("grpc_calls.py"));
    let said = script::run(stage, "grpc", &credence.url("/echo"), &mut command)?;
    credence.settles(beginning)?;
    stage.end(credence)?;
    Ok(said)
}
