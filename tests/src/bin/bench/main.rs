//! The sidecar beside what an engineer would otherwise put there: nginx and
//! HAProxy with a fixed header, the same provider behind each, the same load.
//!
//! ```text
//!  load ─► nginx    ─┐
//!       ─► haproxy  ─┼─► provider (TLS; refuses calls without the key)
//!       ─► credence ─┘
//! ```
//!
//! Rounds alternate, and each begins with another proxy, so that whatever else
//! the machine does meets all alike. What is compared is processor time by
//! request, which a loaded machine changes far less than latency. The provider
//! and the sidecar are processes of this same program, and every proxy has one
//! thread.

mod certificate;
mod found;
mod load;
mod peer;
mod provider;
mod scenario;
mod sidecar;
mod usage;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Parser, Subcommand};

use found::Found;
use load::Load;
use peer::Proxy;
use scenario::{Scenario, Upstream};

/// The value that the provider wants in `Authorization`.
const KEY: &str = "Bearer sk-bench-0123456789abcdef0123456789abcdef";

/// Compares the cost of a request to credence, nginx and HAProxy.
#[derive(Parser)]
#[command(name = "bench")]
struct Arguments {
    /// Requests in each round; scenarios that are slower make a part of them.
    #[arg(long, default_value_t = 20_000)]
    requests: usize,
    /// Rounds for each proxy.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Only the scenarios whose names hold this.
    #[arg(long, default_value = "")]
    only: String,
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
        /// Speaks HTTP/2 instead of HTTP/1.1.
        #[arg(long)]
        http2: bool,
    },
    /// Runs the sidecar; for this program's own use.
    Sidecar,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    match &arguments.part {
        Some(Part::Provider {
            directory,
            answer,
            http2,
        }) => provider::run(directory, *answer, *http2)?,
        Some(Part::Sidecar) => sidecar::run()?,
        None => return compare(&arguments),
    }
    Ok(ExitCode::SUCCESS)
}

fn compare(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    if cfg!(debug_assertions) {
        println!("built without optimisation: nothing of this compares with the peers");
    }
    let mut good = true;
    for scenario in scenario::ALL {
        if scenario.name.contains(&arguments.only) {
            let found = measure(&scenario, arguments).context(scenario.name)?;
            good &= found::report(&scenario, &found);
        }
    }
    Ok(match good {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn measure(scenario: &Scenario, arguments: &Arguments) -> anyhow::Result<Vec<Found>> {
    let directory = tempfile::tempdir().context("no place for certificates and logs")?;
    certificate::write(directory.path())?;
    let provider = provider::start(directory.path(), scenario)?;
    let mut proxies = vec![sidecar::start(directory.path(), provider.port)?];
    if !arguments.alone {
        if scenario.upstream == Upstream::Http1 {
            proxies.push(peer::nginx(directory.path(), provider.port)?);
        }
        let upstream = scenario.upstream;
        proxies.push(peer::haproxy(directory.path(), provider.port, upstream)?);
    }
    let mut found: Vec<Found> = proxies
        .iter()
        .map(|proxy| Found::nothing_yet(proxy.name))
        .collect();
    let requests = arguments.requests / scenario.share;
    for proxy in &proxies {
        load_on(proxy, scenario, requests / 4)?;
    }
    for round in 0..arguments.rounds {
        for turn in 0..proxies.len() {
            let at = (round + turn) % proxies.len();
            let (Some(proxy), Some(found)) = (proxies.get(at), found.get_mut(at)) else {
                continue;
            };
            let before = usage::processor_time(proxy.pid())?;
            let took = load_on(proxy, scenario, requests)?;
            let spent = usage::processor_time(proxy.pid())? - before;
            found.rounds.push(spent / u32::try_from(requests)?);
            found.took.extend(took);
            found.resident = usage::resident(proxy.pid())?;
        }
    }
    Ok(found)
}

fn load_on(proxy: &Proxy, scenario: &Scenario, requests: usize) -> anyhow::Result<Vec<Duration>> {
    let load = Load {
        port: proxy.port,
        path: proxy.path,
        connections: scenario.connections,
        requests,
        body: scenario.body,
        answer: scenario.answer,
    };
    load.run()
        .with_context(|| format!("the load on {}", proxy.name))
}
