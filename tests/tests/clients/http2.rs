//! nginx as a provider that speaks HTTP/2: what it stores comes back.

use std::fs;
use std::process::Command;
use std::thread;

use anyhow::{Context as _, Result, bail, ensure};
use aws_lc_rs::digest::{SHA256, digest};

use crate::caller::{self, Caller, field};
use crate::manifests::{Api, DUMMY, KEY};
use crate::nginx::Nginx;
use crate::stage::Stage;

/// What is stored.
const SIZE: usize = 8 << 20;

/// Calls that are made at one time.
const AT_ONCE: usize = 100;

pub(crate) fn nginx_stores_and_serves_by_http2(stage: &Stage) -> Result<String> {
    let nginx = Nginx::start(
        stage,
        &format!(
            "map \"$http_authorization\" $good {{ default 0; \"Bearer {KEY}\" 1; }}
server {{
  listen 127.0.0.1:PORT ssl http2;
  if ($good = 0) {{ return 401; }}
  location /files/ {{ root FOLDER; dav_methods PUT DELETE; create_full_put_path on; }}
  location / {{ return 200 \"$server_protocol $request_method $request_uri $http_connection\"; }}
}}"
        ),
    )?;
    let base = format!("https://localhost:{}", nginx.port);
    let credence = stage.credence(&Api::new("files", base, &nginx.authority).objects())?;
    let beginning = credence.at_rest()?;

    let told = caller::get(credence.proxy, "/files/hello?q", &[])?;
    ensure!(told.text() == "HTTP/2.0 GET /hello?q ", "{told:?}");

    // Up by both protocols of the app, down by both.
    let folder = tempfile::tempdir()?;
    let (file, back) = (folder.path().join("file"), folder.path().join("back"));
    let content: Vec<u8> = (0..SIZE).map(|at| ((at * 37) >> 5) as u8).collect();
    fs::write(&file, &content)?;
    let sum = digest(&SHA256, &content);
    let url = credence.url("/files/files/a/b");
    for (up, down) in [
        ("--http1.1", "--http2-prior-knowledge"),
        ("--http2-prior-knowledge", "--http1.1"),
    ] {
        curl(&[up, "--upload-file", text(&file)?, &url])?;
        curl(&[down, "--output", text(&back)?, &url])?;
        let same = digest(&SHA256, &fs::read(&back)?).as_ref() == sum.as_ref();
        ensure!(same, "{up} and {down}: something else came back");
        curl(&[up, "--request", "DELETE", &url])?;
    }
    curl(&["--upload-file", text(&file)?, &url])?;

    // What has no body, or a part of one.
    let mut caller = Caller::connect(credence.proxy)?;
    caller.send(caller.head("HEAD", "/files/files/a/b", &[]))?;
    let (head, body) = caller.beginning()?;
    let length = SIZE.to_string();
    ensure!(
        field(&head, "content-length") == Some(&length) && body.is_empty(),
        "{head}"
    );
    let tag = field(&head, "etag").context("no ETag")?.to_owned();
    caller.send(caller.head("GET", "/files/files/a/b", &[("If-None-Match", &tag)]))?;
    let (head, body) = caller.beginning()?;
    ensure!(
        head.starts_with("HTTP/1.1 304 ") && body.is_empty(),
        "{head}"
    );
    let part = caller.get("/files/files/a/b", &[("Range", "bytes=1000-1999")])?;
    ensure!(
        part.status == 206 && content.get(1000..2000) == Some(&part.body),
        "{}",
        part.head
    );

    let proxy = credence.proxy;
    let calls: Vec<_> = (0..AT_ONCE)
        .map(|number| {
            thread::spawn(move || -> Result<()> {
                let path = format!("/files/{number}");
                let answer = caller::get(proxy, &path, &[("Authorization", DUMMY)])?;
                let expected = format!("HTTP/2.0 GET /{number} ");
                ensure!(answer.text() == expected, "{answer:?}");
                Ok(())
            })
        })
        .collect();
    for call in calls {
        match call.join() {
            Ok(ended) => ended?,
            Err(_) => bail!("a call panicked"),
        }
    }
    drop(caller);
    let connections = credence.gauge("credence_upstream_connections")?;
    credence.settles(beginning)?;
    stage.end(credence)?;
    Ok(format!(
        "3 × {} MiB up, 2 × down, HEAD, 304, 206; {AT_ONCE} calls at one time, then {connections} upstream connections",
        SIZE >> 20
    ))
}

fn text(path: &std::path::Path) -> Result<&str> {
    path.to_str().context("a path")
}

fn curl(arguments: &[&str]) -> Result<()> {
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--fail", "--max-time", "60"])
        .args(["--header", &format!("Authorization: Bearer {DUMMY}")])
        .args(arguments)
        .output()
        .context("starting curl")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{arguments:?}: {said}");
    Ok(())
}
