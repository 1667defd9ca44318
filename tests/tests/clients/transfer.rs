//! Bodies that are larger than the memory that they may take.

use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use aws_lc_rs::digest::{Context, SHA256};
use credence_tests::packages;
use serde_json::Value;

use crate::caller::{Caller, field};
use crate::credence::Credence;
use crate::provider::{Offer, PIECE, hex, pattern};
use crate::stage::Stage;

/// The length of each body.
const LENGTH: u64 = 1 << 30;

/// Makes one, and compares with the digest that it must have.
type Transfer = fn(&Credence, &str) -> Result<()>;

/// The most memory that may be resident.
const MEMORY: u64 = 12_000_000;

pub(crate) fn a_gibibyte_goes_up_and_down_in_little_memory(stage: &Stage) -> Result<String> {
    let expected = digest();
    let figures = [Offer::Http1, Offer::Http2].map(|offer| both_ways(stage, offer, &expected));
    figures.into_iter().collect()
}

fn both_ways(stage: &Stage, offer: Offer, expected: &str) -> Result<String> {
    let (provider, credence) = stage.with_provider(offer)?;
    let mut figures = String::new();
    let ways: &[(&str, Transfer)] = match offer {
        Offer::Http2 => &[
            ("up", up),
            ("down", down),
            ("up by h2c", up_by_h2c),
            ("down by h2c", down_by_h2c),
        ],
        Offer::Http1 | Offer::Misbehaviour => &[("up", up), ("down", down)],
    };
    for (name, transfer) in ways {
        credence.forget_peak()?;
        let begin = Instant::now();
        transfer(&credence, expected).with_context(|| format!("a gibibyte {name}"))?;
        let (seconds, peak) = (begin.elapsed().as_secs_f64(), credence.peak()?);
        ensure!(
            peak < MEMORY,
            "{peak} bytes were resident on the way {name}"
        );
        figures.push_str(&format!(
            "{offer:?} upstream, {name}: {:.0} MB/s, at most {:.1} MB resident\n",
            LENGTH as f64 / seconds / 1e6,
            peak as f64 / 1e6
        ));
    }
    ensure!(provider.state.refused() == 0, "the provider refused a call");
    stage.end(credence)?;
    Ok(figures)
}

fn up(credence: &Credence, expected: &str) -> Result<()> {
    let mut caller = Caller::connect(credence.proxy)?;
    let length = LENGTH.to_string();
    caller.send(caller.head("POST", "/api/echo", &[("Content-Length", &length)]))?;
    let mut sent = 0;
    while sent < LENGTH {
        let piece = pattern(sent, LENGTH);
        caller.stream.write_all(&piece)?;
        sent += piece.len() as u64;
    }
    let answer = caller.answer()?;
    let echo: Value = serde_json::from_slice(&answer.body)?;
    ensure!(
        echo["length"] == LENGTH && echo["sha256"] == expected,
        "{echo}"
    );
    Ok(())
}

/// The same, by a client of HTTP/2.
fn up_by_h2c(credence: &Credence, expected: &str) -> Result<()> {
    let mut curl = curl(credence, "/api/echo", &["--upload-file", "-"])?;
    let mut input = curl.stdin.take().context("curl's input")?;
    // It reads while it is written to; it answers at the end.
    let mut sent = 0;
    while sent < LENGTH {
        let piece = pattern(sent, LENGTH);
        input.write_all(&piece)?;
        sent += piece.len() as u64;
    }
    drop(input);
    let output = curl.wait_with_output()?;
    let echo: Value = serde_json::from_slice(&output.stdout)?;
    ensure!(
        echo["length"] == LENGTH && echo["sha256"] == expected,
        "{echo}"
    );
    Ok(())
}

fn down_by_h2c(credence: &Credence, expected: &str) -> Result<()> {
    let mut curl = curl(credence, &format!("/api/bytes/{LENGTH}"), &[])?;
    let mut output = curl.stdout.take().context("curl's output")?;
    let (mut digest, mut piece) = (Context::new(&SHA256), vec![0; PIECE]);
    loop {
        match output.read(&mut piece)? {
            0 => break,
            length => digest.update(piece.get(..length).unwrap_or_default()),
        }
    }
    ensure!(curl.wait()?.success(), "curl failed");
    ensure!(hex(digest.finish().as_ref()) == expected, "another content");
    Ok(())
}

fn curl(credence: &Credence, path: &str, arguments: &[&str]) -> Result<Child> {
    packages::programs(&[("curl", "curl")])?;
    let curl = Command::new("curl")
        .args([
            "--silent",
            "--fail",
            "--http2-prior-knowledge",
            "--max-time",
            "300",
        ])
        .args(arguments)
        .arg(credence.url(path))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    Ok(curl)
}

fn down(credence: &Credence, expected: &str) -> Result<()> {
    let mut caller = Caller::connect(credence.proxy)?;
    caller.send(caller.head("GET", &format!("/api/bytes/{LENGTH}"), &[]))?;
    let (head, mut begun) = caller.beginning()?;
    let length = field(&head, "content-length").map(str::parse::<u64>);
    ensure!(length == Some(Ok(LENGTH)), "{head}");
    let mut digest = Context::new(&SHA256);
    digest.update(&begun);
    let mut got = begun.len() as u64;
    begun.resize(PIECE, 0);
    while got < LENGTH {
        let length = caller.stream.read(&mut begun)?;
        ensure!(length > 0, "the answer ended after {got} bytes");
        digest.update(begun.get(..length).unwrap_or_default());
        got += length as u64;
    }
    ensure!(got == LENGTH, "{got} bytes are more than there should be");
    ensure!(hex(digest.finish().as_ref()) == expected, "another content");
    Ok(())
}

/// The digest of the whole body.
fn digest() -> String {
    let mut digest = Context::new(&SHA256);
    let mut done = 0;
    while done < LENGTH {
        let piece = pattern(done, LENGTH);
        digest.update(&piece);
        done += piece.len() as u64;
    }
    hex(digest.finish().as_ref())
}
