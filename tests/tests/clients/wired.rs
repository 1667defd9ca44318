//! WebSocket and gRPC: Python's own on both ends.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;

use anyhow::Result;
use credence_tests::pki::Authority;
use serde_json::json;
use tempfile::TempDir;

use crate::manifests::{Api, DUMMY, KEY};
use crate::nginx::free_port;
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
    let base = format!("https://localhost:{}", provider.port);
    // A service is called at the root, so that its collection has a port; one
    // whose name is a collection's can do without.
    let service = format!("{base}/credence.test.Echo");
    let port = free_port()?;
    let mut own = Api::new("own-port", base, &provider.authority);
    own.spec = json!({"sidecarPort": port});
    let mut objects = own.objects();
    objects.extend(Api::new("echo", service, &provider.authority).objects());
    let credence = stage.credence(&objects)?;
    let beginning = credence.at_rest()?;
    let mut figures = String::new();
    for target in [format!("http://localhost:{port}"), credence.url("/echo")] {
        let mut command = Command::new(stage.python()?);
        command.arg(script::source("grpc_calls.py"));
        figures.push_str(&script::run(stage, "grpc", &target, &mut command)?);
        figures.push('\n');
    }
    credence.settles(beginning)?;
    stage.end(credence)?;
    Ok(figures)
}
