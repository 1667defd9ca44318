//! A Secret that changes under load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use credence_tests::wait;

use crate::caller::Caller;
use crate::manifests::secret;
use crate::provider::Offer;
use crate::stage::Stage;

const CONNECTIONS: usize = 16;
/// At least; the load goes on until the last change has been used.
const REQUESTS: u64 = 10_000;
const CHANGES: usize = 50;

/// How long a new key may wait until it is used.
const SOON: Duration = Duration::from_secs(1);

pub(crate) fn a_changed_secret_fails_no_call(stage: &Stage) -> Result<String> {
    let (provider, credence) = stage.with_provider(Offer::Http1)?;
    let (ended, made) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    // Counts the answers that were given to the newest key.
    let newest = Arc::new(AtomicU64::new(0));
    let load: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let (ended, made, newest) = (ended.clone(), made.clone(), newest.clone());
            let proxy = credence.proxy;
            thread::spawn(move || -> Result<()> {
                let mut caller = Caller::connect(proxy)?;
                while !ended.load(Ordering::Relaxed) || made.load(Ordering::Relaxed) < REQUESTS {
                    // The provider takes the newest key and the one before.
                    let answer = caller.get("/api/key", &[])?;
                    ensure!(answer.status == 200, "{answer:?}");
                    made.fetch_add(1, Ordering::Relaxed);
                    if answer.text() == r#"{"key":0}"# {
                        newest.fetch_add(1, Ordering::SeqCst);
                    }
                }
                Ok(())
            })
        })
        .collect();
    let changed = changes(stage, &credence, &provider.state, || {
        newest.load(Ordering::SeqCst)
    });
    ended.store(true, Ordering::Relaxed);
    for each in load {
        match each.join() {
            Ok(ended) => ended?,
            Err(_) => bail!("a caller panicked"),
        }
    }
    let (made, mut waits) = (made.load(Ordering::Relaxed), changed?);
    waits.sort();
    ensure!(provider.state.refused() == 0, "the provider refused a call");
    stage.end(credence)?;
    let milliseconds = |wait: Option<&Duration>| wait.map_or(0, Duration::as_millis);
    Ok(format!(
        "{made} calls on {CONNECTIONS} connections, none failed; {CHANGES} new keys, used after {} ms (median), {} ms (longest)",
        milliseconds(waits.get(CHANGES / 2)),
        milliseconds(waits.last())
    ))
}

/// Makes them one after another; gives how long each new key waited.
fn changes(
    stage: &Stage,
    credence: &crate::credence::Credence,
    provider: &crate::provider::State,
    newest: impl Fn() -> u64,
) -> Result<Vec<Duration>> {
    let mut waits = Vec::new();
    for change in 0..CHANGES {
        let key = format!("sk-turn-{change:02}/8d7c6b+5a4f~3e2d");
        stage.plant(key.clone());
        provider.accept_key(&key);
        let object = secret("api-dev", &[("key", &key)]);
        let begin = Instant::now();
        match change % 2 {
            0 => credence.replace(&object)?,
            _ => credence.overwrite(&object)?,
        }
        // Answers that are on their way may still count for the key before.
        let before = newest();
        wait::until("the new key is used", SOON, || {
            Ok((newest() > before + CONNECTIONS as u64).then_some(()))
        })?;
        waits.push(begin.elapsed());
    }
    Ok(waits)
}
