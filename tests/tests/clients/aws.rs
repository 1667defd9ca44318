//! AWS's own SDK, at a server that checks every signature.

use std::fs;
use std::process::Command;

use anyhow::Result;
use credence_tests::pki::Authority;
use serde_json::{Value, json};

use crate::manifests::{Api, KEY, LIVE_KEY, secret};
use crate::script;
use crate::server::Server;
use crate::stage::Stage;

const KEY_ID: &str = "AKIDOFCREDENCE";

pub(crate) fn boto3_stores_reads_and_streams(stage: &Stage) -> Result<String> {
    let python = stage.python()?;
    let authority = Authority::new("the authority of moto")?;
    let identity = authority.server("localhost", &["localhost"], &[])?;
    let folder = tempfile::tempdir()?;
    let (certificate, key) = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
    fs::write(&certificate, &identity.certificate)?;
    fs::write(&key, &identity.key)?;
    let mut moto = Command::new(python);
    moto.arg(script::source("moto_server.py"))
        .env("CERTIFICATE", certificate)
        .env("CERTIFICATE_KEY", key)
        .env("KEY_ID", KEY_ID)
        .env("KEY", KEY);
    let (_moto, port) = Server::start(stage, "moto", &mut moto, |said| {
        said.lines()
            .find_map(|line| line.strip_prefix("port ")?.parse::<u16>().ok())
    })?;
    let base = format!("https://localhost:{port}");
    let mut objects = Vec::new();
    for (name, service, member) in [
        ("s3", "s3", "key"),
        ("sts", "sts", "key"),
        ("dynamodb", "dynamodb", "key"),
        ("wrong", "s3", "wrong"),
    ] {
        objects.extend(signed(
            name,
            service,
            member,
            &base,
            authority.certificate(),
        ));
    }
    let credence = stage.credence(&objects)?;
    let mut command = Command::new(python);
    command.arg(script::source("aws_calls.py"));
    let said = script::run(stage, "aws", &credence.url(""), &mut command)?;
    stage.end(credence)?;
    Ok(said)
}

/// A collection whose calls are signed by this member of its Secret.
fn signed(name: &str, service: &str, member: &str, base: &str, authority: &str) -> Vec<Value> {
    let mut api = Api::new(name, base.to_owned(), authority);
    api.spec = json!({"auth": {"awsSigV4": {
        "region": "eu-central-1",
        "service": service,
        "accessKeyId": KEY_ID,
        "secretAccessKey": format!("${{secret.{member}}}"),
    }}});
    let mut objects = api.objects();
    objects.retain(|object| object["kind"] != "Secret");
    for (environment, key) in [("dev", KEY), ("live", LIVE_KEY)] {
        objects.push(secret(
            &format!("{name}-{environment}"),
            &[("key", key), ("wrong", LIVE_KEY)],
        ));
    }
    objects
}
