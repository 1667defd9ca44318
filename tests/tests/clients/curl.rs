//! curl: the expectations, versions and paths that other clients do not send.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use aws_lc_rs::digest::{SHA256, digest};
use credence_tests::packages;
use serde_json::Value;

use crate::credence::Credence;
use crate::manifests::DUMMY;
use crate::provider::{Offer, hex};
use crate::stage::Stage;

/// What is uploaded.
const SIZE: usize = 20 << 20;

/// What curl got.
struct Got {
    status: String,
    version: String,
    body: String,
    /// What it says on the way.
    told: String,
}

impl Got {
    /// A member of the provider's answer.
    fn echoed(&self, member: &str) -> Result<Value> {
        let answer: Value = serde_json::from_str(&self.body).with_context(|| self.body.clone())?;
        Ok(answer[member].clone())
    }
}

pub(crate) fn calls_with_every_version_and_expectation(stage: &Stage) -> Result<String> {
    packages::programs(&[("curl", "curl")])?;
    let figures = [Offer::Http1, Offer::Http2].map(|offer| calls(stage, offer));
    figures
        .into_iter()
        .collect::<Result<Vec<_>>>()
        .map(|figures| figures.join("\n"))
}

fn calls(stage: &Stage, offer: Offer) -> Result<String> {
    let (provider, credence) = stage.with_provider(offer)?;
    let curl = |path: &str, arguments: &[&str]| call(stage, &credence, path, arguments);

    let upgrade = curl("/api/echo", &["--http2"])?;
    ensure!((&*upgrade.status, &*upgrade.version) == ("200", "1.1"));
    let sent = upgrade.echoed("fields")?.to_string();
    ensure!(
        !sent.contains("upgrade") && !sent.contains("http2-settings"),
        "{sent}"
    );

    let prior = curl("/api/echo", &["--http2-prior-knowledge"])?;
    ensure!((&*prior.status, &*prior.version) == ("200", "2"));

    let old = curl("/api/echo", &["--http1.0"])?;
    ensure!(old.status == "200", "HTTP/1.0: {}", old.status);

    let folder = tempfile::tempdir()?;
    let file = folder.path().join("upload");
    let content: Vec<u8> = (0..SIZE).map(|at| ((at * 31) >> 3) as u8).collect();
    fs::write(&file, &content)?;
    let sum = Value::from(hex(digest(&SHA256, &content).as_ref()));
    let upload = ["--upload-file", file.to_str().context("a path")?];
    // It waits this long for the 100 before it begins: the test would notice.
    let expecting = [
        "--expect100-timeout",
        "50",
        "--header",
        "Expect: 100-continue",
    ];
    let chunked = ["--header", "Transfer-Encoding: chunked"];
    for more in [
        expecting.as_slice(),
        &[expecting.as_slice(), &chunked].concat(),
    ] {
        let got = curl("/api/echo", &[upload.as_slice(), more].concat())?;
        ensure!(
            got.status == "200" && got.echoed("sha256")? == sum,
            "{}",
            got.body
        );
        ensure!(got.told.contains("< HTTP/1.1 100 Continue"), "{}", got.told);
    }
    let got = curl(
        "/api/echo",
        &[upload.as_slice(), &["--http2-prior-knowledge"]].concat(),
    )?;
    ensure!(
        got.status == "200" && got.echoed("sha256")? == sum,
        "{}",
        got.body
    );

    let odd = curl("/api/a//b;c=%2F%7e'?q=a+b&&c", &["--path-as-is"])?;
    ensure!(
        odd.echoed("target")? == "/v1/a//b;c=%2F%7e'?q=a+b&&c",
        "{}",
        odd.body
    );
    let before = provider.state.requests();
    for path in ["/api/a/../b", "/api/%2e%2e/b", "/api/./b", "/api/../api/b"] {
        let got = curl(path, &["--path-as-is"])?;
        ensure!(got.status == "400", "{path}: {}", got.status);
        ensure!(got.body.contains("BAD_REQUEST"), "{path}: {}", got.body);
    }
    ensure!(
        provider.state.requests() == before,
        "a refused call was sent"
    );

    let head = curl("/api/echo", &["--head"])?;
    ensure!(head.status == "200", "HEAD: {}", head.status);
    let followed = curl("/api/redirect", &["--location"])?;
    ensure!(
        followed.echoed("target")? == "/v1/echo?redirected",
        "{}",
        followed.body
    );

    ensure!(provider.state.refused() == 0, "the provider refused a call");
    stage.end(credence)?;
    Ok(format!(
        "{offer:?} upstream: HTTP/1.0, 1.1, h2c, upgrade to h2c; 3 × {} MiB up, two of them after 100 (Continue); {} requests",
        SIZE >> 20,
        provider.state.requests()
    ))
}

fn call(stage: &Stage, credence: &Credence, path: &str, arguments: &[&str]) -> Result<Got> {
    let body = stage.record("curl.body");
    let output = Command::new("curl")
        .args(["--silent", "--verbose", "--max-time", "60"])
        .args(["--write-out", "%{http_code} %{http_version}", "--output"])
        .arg(&body)
        .args(["--header", &format!("Authorization: Bearer {DUMMY}")])
        .args(arguments)
        .arg(credence.url(path))
        .output()
        .context("starting curl")?;
    fs::write(stage.record("curl.log"), &output.stderr)?;
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "{arguments:?} {path}: {told}");
    let written = String::from_utf8(output.stdout)?;
    let (status, version) = written.split_once(' ').context("what curl writes")?;
    Ok(Got {
        status: status.to_owned(),
        version: version.to_owned(),
        // Nothing is written where nothing came.
        body: fs::read_to_string(&body).unwrap_or_default(),
        told,
    })
}
