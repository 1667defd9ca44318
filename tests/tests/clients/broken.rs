//! Connections that break, on either side, all at one time.

use std::fs;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use credence_tests::wait;
use serde_json::json;

use crate::caller::{self, Caller};
use crate::manifests::Api;
use crate::provider::{Offer, Provider};
use crate::stage::Stage;

/// Reached only by what hangs.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn broken_connections_end_in_the_right_error(stage: &Stage) -> Result<String> {
    // Takes connections into its backlog, and says nothing.
    let mute = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let mute = format!("https://{}", mute.local_addr()?);
    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    let closed = format!("https://{closed}");
    let stranger = Provider::start(Offer::Http1)?;
    let authority = &stranger.authority;
    let mut further = Api::new("mute", mute, authority).objects();
    further.extend(Api::new("closed", closed, authority).objects());
    let (good, bad, credence) = stage.with_both(&further)?;
    // Trusts the authority of another.
    further = Api::new("stranger", good.base_url(), authority).objects();
    // Waits for no answer as long as others do.
    let mut hurried = Api::new("hurried", bad.base_url(), &bad.authority);
    hurried.spec = json!({"timeouts": {"firstByteSeconds": 1}});
    further.extend(hurried.objects());
    for object in &further {
        credence.replace(object)?;
    }
    wait::until("these are served, too", PATIENCE, || {
        let index = caller::get(credence.proxy, "/", &[])?.text();
        Ok((index.contains("stranger") && index.contains("hurried")).then_some(()))
    })?;
    let beginning = credence.at_rest()?;
    let begin = Instant::now();
    let proxy = credence.proxy;
    // Each on a connection of its own, all at one time, and often.
    let calls: [(&'static str, u16, &'static str); 7] = [
        ("/hurried/never", 504, "upstream-timeout"),
        ("/bad/reset-at-once", 502, "upstream-unreachable"),
        ("/bad/reset-in-head", 502, "upstream-unreachable"),
        ("/closed/", 502, "upstream-unreachable"),
        ("/stranger/echo", 502, "upstream-tls"),
        ("/mute/", 504, "upstream-timeout"),
        ("/nobody/", 404, "unknown-collection"),
    ];
    let mut all = Vec::new();
    for _ in 0..20 {
        for (path, status, slug) in calls {
            all.push(thread::spawn(move || {
                let answer = caller::get(proxy, path, &[])?;
                let right = answer.status == status && answer.slug() == Some(slug);
                ensure!(right, "{path}: {answer:?}");
                Ok(format!("{answer:?}\n"))
            }));
        }
        all.extend([
            thread::spawn(move || is_cut_off(proxy).map(|()| String::new())),
            thread::spawn(move || begins_and_stops(proxy).map(|()| String::new())),
            thread::spawn(move || gives_up(proxy).map(|()| String::new())),
            thread::spawn(move || vanishes_in_the_middle(proxy).map(|()| String::new())),
            thread::spawn(move || stops_listening(proxy).map(|()| String::new())),
        ]);
    }
    let (made, mut told) = (all.len(), String::new());
    for each in all {
        match each.join() {
            Ok(ended) => told.push_str(&ended?),
            Err(_) => bail!("a connection panicked"),
        }
    }
    fs::write(stage.record("errors"), told)?;
    let seconds = begin.elapsed().as_secs_f64();
    // What goes well goes on.
    let answer = caller::get(proxy, "/api/echo", &[])?;
    ensure!(answer.status == 200, "{answer:?}");
    drop((good, bad));
    credence.settles(beginning)?;
    stage.end(credence)?;
    Ok(format!(
        "{made} connections, each as it must in {seconds:.1} s"
    ))
}

/// The provider resets within the body: the answer must not look whole.
fn is_cut_off(proxy: SocketAddr) -> Result<()> {
    let mut caller = Caller::connect(proxy)?;
    let answer = caller.get("/bad/reset-in-body", &[]);
    ensure!(
        answer.is_err(),
        "a part was taken for the whole: {answer:?}"
    );
    Ok(())
}

/// Half of a head.
fn begins_and_stops(proxy: SocketAddr) -> Result<()> {
    let mut caller = Caller::connect(proxy)?;
    caller.send("GET /api/echo HTTP/1.1\r\nHost: local")?;
    let answer = caller.answer()?;
    ensure!(
        answer.status == 408 && answer.slug() == Some("head-timeout"),
        "{answer:?}"
    );
    Ok(())
}

/// A provider that never answers, and an app that waits no longer.
fn gives_up(proxy: SocketAddr) -> Result<()> {
    let mut caller = Caller::connect(proxy)?;
    caller
        .stream
        .set_read_timeout(Some(Duration::from_secs(2)))?;
    let answer = caller.get("/bad/never", &[]);
    ensure!(answer.is_err(), "{answer:?}");
    Ok(())
}

/// An upload that is never finished.
fn vanishes_in_the_middle(proxy: SocketAddr) -> Result<()> {
    let mut caller = Caller::connect(proxy)?;
    caller.send(caller.head("POST", "/api/echo", &[("Content-Length", "1000000")]))?;
    caller.send([0; 5000])
}

/// Says that it will send no more, before it has sent all.
fn stops_listening(proxy: SocketAddr) -> Result<()> {
    let mut caller = Caller::connect(proxy)?;
    caller.send(caller.head("POST", "/api/echo", &[("Content-Length", "1000000")]))?;
    caller.stream.shutdown(Shutdown::Write)?;
    let answer = caller.answer();
    ensure!(answer.is_err(), "half a body was answered: {answer:?}");
    Ok(())
}
