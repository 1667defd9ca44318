//! The sidecar beside what an engineer would otherwise put there: nginx and
//! HAProxy with a fixed header, the same provider behind each, the same load.
//!
//! ```text
//!  load ─► nginx    ─┐
//!       ─► haproxy  ─┼─► provider (TLS; refuses calls without the key)
//!       ─► credence ─┘
//! ```
//!
//! Rounds alternate, so that whatever else the machine does meets all alike.
//! What is compared is processor time by request, which a loaded machine
//! changes far less than latency. The provider and the sidecar are processes
//! of this same program.

mod certificate;
mod load;
mod peer;
mod provider;
mod sidecar;
mod usage;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use clap::{Parser, Subcommand};

use load::Load;
use peer::Proxy;

/// The value that the provider wants in `Authorization`.
const KEY: &str = "Bearer sk-bench-0123456789abcdef0123456789abcdef";

/// Compares the CPU time per request of credence, nginx and HAProxy.
#[derive(Parser)]
#[command(name = "bench")]
struct Arguments {
    /// Connections of the load.
    #[arg(long, default_value_t = 32)]
    connections: usize,
    /// Requests in each round.
    #[arg(long, default_value_t = 20_000)]
    requests: usize,
    /// Rounds for each proxy.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Bytes of each answer.
    #[arg(long, default_value_t = 1024)]
    answer: usize,
    /// Leaves out the peers.
    #[arg(long)]
    alone: bool,
    #[command(subcommand)]
    part: Option<Part>,
}

#[derive(Subcommand)]
enum Part {
    /// Runs the provider; for this program's own use.
    Provider {
        /// Where its certificate is.
        directory: PathBuf,
        /// Bytes of each answer.
        answer: usize,
    },
    /// Runs the sidecar; for this program's own use.
    Sidecar,
}

/// What was found out about one proxy.
struct Found {
    name: &'static str,
    /// Processor time by request, in the order of the rounds.
    rounds: Vec<Duration>,
    resident: u64,
}

/// The largest share of the better peer's processor time that is accepted.
const MOST_TIME: f64 = 1.0;
/// The most memory that is accepted.
const MOST_MEMORY: u64 = 12 << 20;

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    match &arguments.part {
        Some(Part::Provider { directory, answer }) => provider::run(directory, *answer)?,
        Some(Part::Sidecar) => sidecar::run()?,
        None => return compare(&arguments),
    }
    Ok(ExitCode::SUCCESS)
}

fn compare(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let directory = tempfile::tempdir().context("no place for certificates and logs")?;
    certificate::write(directory.path())?;
    let provider = provider::start(directory.path(), arguments.answer)?;
    let mut proxies = vec![sidecar::start(directory.path(), provider.port)?];
    if !arguments.alone {
        proxies.push(peer::nginx(directory.path(), provider.port)?);
        proxies.push(peer::haproxy(directory.path(), provider.port)?);
    }
    let mut found: Vec<Found> = proxies
        .iter()
        .map(|proxy| Found {
            name: proxy.name,
            rounds: Vec::new(),
            resident: 0,
        })
        .collect();
    for proxy in &proxies {
        load_on(proxy, arguments, arguments.requests / 4)?;
    }
    for _ in 0..arguments.rounds {
        for (proxy, found) in proxies.iter().zip(&mut found) {
            let before = usage::processor_time(proxy.pid())?;
            load_on(proxy, arguments, arguments.requests)?;
            let spent = usage::processor_time(proxy.pid())? - before;
            let requests = u32::try_from(arguments.requests)?;
            found.rounds.push(spent / requests);
            found.resident = usage::resident(proxy.pid())?;
        }
    }
    report(&found)
}

fn load_on(proxy: &Proxy, arguments: &Arguments, requests: usize) -> anyhow::Result<()> {
    let load = Load {
        port: proxy.port,
        path: proxy.path,
        connections: arguments.connections,
        requests,
        answer: arguments.answer,
    };
    load.run()
        .with_context(|| format!("the load on {}", proxy.name))
}

fn report(found: &[Found]) -> anyhow::Result<ExitCode> {
    println!(
        "{:<10} {:>12} {:>10}   rounds (µs)",
        "proxy", "µs/request", "RSS MiB"
    );
    for each in found {
        let rounds: Vec<String> = each
            .rounds
            .iter()
            .map(|round| format!("{:.1}", microseconds(*round)))
            .collect();
        println!(
            "{:<10} {:>12.1} {:>10.1}   {}",
            each.name,
            microseconds(each.median()),
            each.resident as f64 / f64::from(1 << 20),
            rounds.join(" ")
        );
    }
    let Some((ours, peers)) = found.split_first() else {
        bail!("nothing was measured");
    };
    ensure!(!ours.rounds.is_empty(), "nothing was measured");
    let mut good = ours.resident <= MOST_MEMORY;
    if let Some(better) = peers.iter().map(Found::median).min() {
        let ratio = ours.median().as_secs_f64() / better.as_secs_f64();
        println!(
            "{} : better peer = {ratio:.2} (at most {MOST_TIME:.2})",
            ours.name
        );
        good &= ratio <= MOST_TIME;
    }
    println!(
        "{}",
        if good {
            "as promised"
        } else {
            "not as promised"
        }
    );
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

impl Found {
    /// The middle round: one that something else disturbed does not count.
    fn median(&self) -> Duration {
        let mut rounds = self.rounds.clone();
        rounds.sort();
        rounds.get(rounds.len() / 2).copied().unwrap_or_default()
    }
}

fn microseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}
