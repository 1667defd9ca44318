//! Calls under load, and what came back, when.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::client::{Connection, Message};
use crate::stream::now;

/// Bodies are told apart by this many first characters.
const BODY: usize = 300;

/// `probe load`.
#[derive(Args, Clone)]
pub(crate) struct Load {
    #[command(flatten)]
    message: Message,
    /// How long.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// How many connections, each with one call at a time.
    #[arg(long, default_value_t = 2)]
    connections: usize,
    /// Milliseconds that a connection rests after each call.
    #[arg(long, default_value_t = 0)]
    rest: u64,
    /// Seconds to go on when told to end, as apps do that finish their work.
    #[arg(long, default_value_t = 0)]
    linger: u64,
    /// Also print at once, a line each, when an answer of a connection differs
    /// from the one before: `{at, pod, status, body}` or `{at, pod, failure}`.
    #[arg(long)]
    changes: bool,
}

/// What is printed: the outcomes, most frequent first.
#[derive(Serialize)]
struct Report {
    calls: u64,
    outcomes: Vec<Outcome>,
}

/// One kind of outcome. Times are milliseconds since 1970.
#[derive(Serialize)]
struct Outcome {
    #[serde(flatten)]
    kind: Kind,
    count: u64,
    first: u64,
    last: u64,
}

#[derive(Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(untagged)]
enum Kind {
    Answer {
        status: u16,
        body: String,
    },
    /// No answer: a call that an app would see fail.
    Failure {
        failure: String,
    },
}

#[derive(Clone, Copy)]
struct Seen {
    count: u64,
    first: u64,
    last: u64,
}

impl Load {
    /// Ends by itself, or some time after it is `told` to.
    pub(crate) async fn run(&self, told: impl Future<Output = ()>) -> Result<()> {
        let ended = Arc::new(AtomicBool::new(false));
        let mut workers = JoinSet::new();
        for _ in 0..self.connections {
            workers.spawn(work(self.clone(), ended.clone()));
        }
        tokio::select! {
            () = sleep(Duration::from_secs(self.seconds)) => {}
            () = told => sleep(Duration::from_secs(self.linger)).await,
        }
        ended.store(true, Ordering::Relaxed);
        let mut all: HashMap<Kind, Seen> = HashMap::new();
        while let Some(worker) = workers.join_next().await {
            for (kind, seen) in worker? {
                all.entry(kind)
                    .and_modify(|known| {
                        known.count += seen.count;
                        known.first = known.first.min(seen.first);
                        known.last = known.last.max(seen.last);
                    })
                    .or_insert(seen);
            }
        }
        let mut outcomes: Vec<Outcome> = all
            .into_iter()
            .map(|(kind, Seen { count, first, last })| Outcome {
                kind,
                count,
                first,
                last,
            })
            .collect();
        outcomes.sort_by_key(|outcome| std::cmp::Reverse(outcome.count));
        let calls = outcomes.iter().map(|outcome| outcome.count).sum();
        println!("{}", serde_json::to_string(&Report { calls, outcomes })?);
        Ok(())
    }
}

async fn work(load: Load, ended: Arc<AtomicBool>) -> HashMap<Kind, Seen> {
    let mut outcomes: HashMap<Kind, Seen> = HashMap::new();
    let mut connection = None;
    let mut before = None;
    let rest = Duration::from_millis(load.rest);
    while !ended.load(Ordering::Relaxed) {
        let kind = match call(&mut connection, &load.message).await {
            Ok(kind) => kind,
            Err(error) => {
                connection = None;
                Kind::Failure {
                    failure: format!("{error:#}"),
                }
            }
        };
        let at = now();
        if load.changes && before.as_ref() != Some(&kind) {
            report(&kind, at);
            before = Some(kind.clone());
        }
        let failed = matches!(kind, Kind::Failure { .. });
        outcomes
            .entry(kind)
            .and_modify(|seen| {
                seen.count += 1;
                seen.last = at;
            })
            .or_insert(Seen {
                count: 1,
                first: at,
                last: at,
            });
        // A refused connection is tried again at once; without a rest that
        // would be a busy loop.
        let rest = if failed {
            rest.max(Duration::from_millis(20))
        } else {
            rest
        };
        if !rest.is_zero() {
            sleep(rest).await;
        }
    }
    outcomes
}

fn report(kind: &Kind, at: u64) {
    let mut line = serde_json::json!(kind);
    line["at"] = at.into();
    // The container's host name is its pod's name.
    line["pod"] = std::env::var("HOSTNAME").unwrap_or_default().into();
    println!("{line}");
}

async fn call(connection: &mut Option<Connection>, message: &Message) -> Result<Kind> {
    let open = match connection {
        // One that was closed between two calls fails no call.
        Some(open) if !open.is_closed() => open,
        Some(_) | None => connection.insert(Connection::open(message).await?),
    };
    let answer = open.exchange(message).await?;
    let closes = answer
        .headers()
        .get("connection")
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"close"));
    let kind = Kind::Answer {
        status: answer.status().as_u16(),
        body: String::from_utf8_lossy(answer.body())
            .chars()
            .take(BODY)
            .collect(),
    };
    if closes {
        *connection = None;
    }
    Ok(kind)
}
