//! A thousand slow connections at one time.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use credence_tests::wait;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::stage::Stage;

/// Half of them are slow in sending, half are slow in being answered.
const CONNECTIONS: usize = 1000;

/// Between the bytes of a slow body, and how many of them there are.
const DRIP: Duration = Duration::from_millis(100);
const DRIPS: usize = 30;

/// Reached only by what hangs.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn a_thousand_slow_connections_are_served_and_let_go(stage: &Stage) -> Result<String> {
    let (good, _bad, credence) = stage.with_both(&[])?;
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
