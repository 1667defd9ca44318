//! Calls under load, and what came back, when.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use clap::Args;
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::client::{Connection, Message};

/// Bodies are told apart by this many first characters.
const BODY: usize = 300;

/// `probe load`.
#[derive(Args)]
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
    first: u128,
    last: u128,
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
    first: u128,
    last: u128,
}

impl Load {
    pub(crate) async fn run(&self) -> Result<()> {
        let end = Instant::now() + Duration::from_secs(self.seconds);
        let mut workers = JoinSet::new();
        for _ in 0..self.connections {
            workers.spawn(work(
                self.message.clone(),
                Duration::from_millis(self.rest),
                end,
            ));
        }
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

async fn work(message: Message, rest: Duration, end: Instant) -> HashMap<Kind, Seen> {
    let mut outcomes: HashMap<Kind, Seen> = HashMap::new();
    let mut connection = None;
    while Instant::now() < end {
        let kind = match call(&mut connection, &message).await {
            Ok(kind) => kind,
            Err(error) => {
                connection = None;
                Kind::Failure {
                    failure: format!("{error:#}"),
                }
            }
        };
        let failed = matches!(kind, Kind::Failure { .. });
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_millis();
        outcomes
            .entry(kind)
            .and_modify(|seen| {
                seen.count += 1;
                seen.last = now;
            })
            .or_insert(Seen {
                count: 1,
                first: now,
                last: now,
            });
        // A refused connection is tried again at once; without a rest that
        // would be a busy loop.
        let rest = if failed {
            rest.max(Duration::from_millis(20))
        } else {
            rest
        };
        if !rest.is_zero() {
            tokio::time::sleep(rest).await;
        }
    }
    outcomes
}

async fn call(connection: &mut Option<Connection>, message: &Message) -> Result<Kind> {
    let open = match connection {
        Some(open) => open,
        None => connection.insert(Connection::open(message).await?),
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
