//! Slow, broken and silent connections, all at one time.

use std::net::{Ipv4Addr, Shutdown, TcpListener};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use credence_tests::wait;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::caller::{self, Caller};
use crate::credence::Credence;
use crate::manifests::Api;
use crate::provider::{Offer, Provider};
use crate::stage::Stage;

/// Half of them are slow in sending, half are slow in being answered.
const CONNECTIONS: usize = 1000;

/// Between the bytes of a slow body, and how many of them there are.
const DRIP: Duration = Duration::from_millis(100);
const DRIPS: usize = 30;

/// Reached only by what hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// The collection `api` behaves, and `bad` does not.
fn scene(stage: &Stage, further: &[Value]) -> Result<(Provider, Provider, Credence)> {
    let good = Provider::start(Offer::Http1)?;
    let bad = Provider::start(Offer::Misbehaviour)?;
    let mut objects = Api::new("api", good.base_url(), &good.authority).objects();
    objects.extend(Api::new("bad", bad.base_url(), &bad.authority).objects());
    objects.extend_from_slice(further);
    let credence = stage.credence(&objects)?;
    Ok((good, bad, credence))
}

pub(crate) fn a_thousand_slow_connections_are_served_and_let_go(stage: &Stage) -> Result<String> {
    let (good, _bad, credence) = scene(stage, &[])?;
    let beginning = credence.at_rest()?;
    credence.forget_peak()?;
    let begin = Instant::now();
    let address = credence.proxy;
    let slow = thread::spawn(move || -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            let mut connections = JoinSet::new();
            for number in 0..CONNECTIONS {
                connections.spawn(async move {
                    let stream = TcpStream::connect(address).await?;
                    let call = async {
                        match number % 2 {
                            0 => sends_slowly(stream).await,
                            _ => is_answered_slowly(stream).await,
                        }
                    };
                    tokio::time::timeout(PATIENCE, call).await?
                });
            }
            while let Some(ended) = connections.join_next().await {
                ended??;
            }
            Ok(())
        })
    });
    let most = i64::try_from(CONNECTIONS)?;
    let all = wait::until("all are connected", PATIENCE, || {
        let held = credence.held()?;
        if slow.is_finished() {
            bail!("they were not all there at one time: {held:?}");
        }
        Ok((held.clients >= most && held.upstreams >= most).then_some(held))
    });
    match slow.join() {
        Ok(ended) => ended?,
        Err(_) => bail!("a slow connection panicked"),
    }
    let all = all?;
    let (seconds, peak) = (begin.elapsed().as_secs_f64(), credence.peak()?);
    ensure!(good.state.refused() == 0, "the provider refused a call");
    credence.settles(beginning)?;
    stage.end(credence)?;
    Ok(format!(
        "{} clients and {} upstream connections at one time, all answered in {seconds:.1} s; at most {:.1} MB resident",
        all.clients,
        all.upstreams,
        peak as f64 / 1e6
    ))
}

async fn sends_slowly(mut stream: TcpStream) -> Result<()> {
    let head = format!(
        "POST /api/echo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {DRIPS}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    for _ in 0..DRIPS {
        tokio::time::sleep(DRIP).await;
        stream.write_all(b".").await?;
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let whole = format!("\"length\":{DRIPS}");
    ensure!(
        answer.starts_with("HTTP/1.1 200 ") && answer.contains(&whole),
        "{answer}"
    );
    Ok(())
}

async fn is_answered_slowly(mut stream: TcpStream) -> Result<()> {
    let head = "GET /bad/slowly HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let whole = ".".repeat(DRIPS);
    ensure!(
        answer.starts_with("HTTP/1.1 200 ") && answer.ends_with(&whole),
        "{answer}"
    );
    Ok(())
}

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
    let (good, bad, credence) = scene(stage, &further)?;
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
                Ok(())
            }));
        }
        all.extend([
            thread::spawn(move || is_cut_off(proxy)),
            thread::spawn(move || begins_and_stops(proxy)),
            thread::spawn(move || gives_up(proxy)),
            thread::spawn(move || vanishes_in_the_middle(proxy)),
            thread::spawn(move || stops_listening(proxy)),
        ]);
    }
    let made = all.len();
    for each in all {
        match each.join() {
            Ok(ended) => ended?,
            Err(_) => bail!("a connection panicked"),
        }
    }
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
fn is_cut_off(proxy: std::net::SocketAddr) -> Result<()> {
    let mut caller = Caller::connect(proxy)?;
    let answer = caller.get("/bad/reset-in-body", &[]);
    ensure!(
        answer.is_err(),
        "a part was taken for the whole: {answer:?}"
    );
    Ok(())
}

/// Half of a head.
fn begins_and_stops(proxy: std::net::SocketAddr) -> Result<()> {
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
fn gives_up(proxy: std::net::SocketAddr) -> Result<()> {
    let mut caller = Caller::connect(proxy)?;
    caller
        .stream
        .set_read_timeout(Some(Duration::from_secs(2)))?;
    let answer = caller.get("/bad/never", &[]);
    ensure!(answer.is_err(), "{answer:?}");
    Ok(())
}

/// An upload that is never finished.
fn vanishes_in_the_middle(proxy: std::net::SocketAddr) -> Result<()> {
    let mut caller = Caller::connect(proxy)?;
    caller.send(caller.head("POST", "/api/echo", &[("Content-Length", "1000000")]))?;
    caller.send([0; 5000])
}

/// Says that it will send no more, before it has sent all.
fn stops_listening(proxy: std::net::SocketAddr) -> Result<()> {
    let mut caller = Caller::connect(proxy)?;
    caller.send(caller.head("POST", "/api/echo", &[("Content-Length", "1000000")]))?;
    caller.stream.shutdown(Shutdown::Write)?;
    let answer = caller.answer();
    ensure!(answer.is_err(), "half a body was answered: {answer:?}");
    Ok(())
}
