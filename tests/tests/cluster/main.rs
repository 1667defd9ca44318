//! The end-to-end cases, on one cluster.
//!
//! `CREDENCE_TEST_CLUSTER` says on which: `new` starts one here and takes it
//! down at the end (needs root), `existing` takes the one that `KUBECONFIG`
//! names or that `make cluster` left. Arguments are parts of the names of the
//! cases to run; without any, all but the long ones run, and with `--soak` the
//! long ones. The last ones look at everything in either kind of run.

mod audit;
mod authority;
mod callers;
mod calls;
mod case;
mod check;
mod commands;
mod crowd;
mod environment;
mod exchange;
mod feed;
mod footprint;
mod harness;
mod injection;
mod isolation;
mod kinds;
mod lifecycle;
mod lifetimes;
mod mesh;
mod minting;
mod outage;
mod pods;
mod policies;
mod rights;
mod rotation;
mod runner;
mod status;
mod strangers;
mod tokens;
mod verification;

use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::Instant;

use anyhow::{Result, bail, ensure};
use case::{Case, Turn};
use credence_tests::cluster::Guard;
use credence_tests::images::Archives;
use credence_tests::shop::Shop;
use credence_tests::state::State;
use credence_tests::{Cluster, collect, interrupt, network, packages};

/// In this order, as far as their turns leave it open.
const CASES: [&[Case]; 26] = [
    harness::CASES,
    // They wait for longest.
    tokens::CASES,
    environment::CASES,
    lifetimes::CASES,
    calls::CASES,
    isolation::CASES,
    // Not in the first minute: a new leader takes its time. Not among the last:
    // it takes more than a minute itself.
    verification::CASES,
    commands::CASES,
    policies::CASES,
    check::CASES,
    feed::CASES,
    kinds::CASES,
    strangers::CASES,
    pods::CASES,
    injection::CASES,
    mesh::CASES,
    rotation::CASES,
    minting::CASES,
    exchange::CASES,
    status::CASES,
    outage::CASES,
    rights::CASES,
    authority::CASES,
    crowd::CASES,
    footprint::CASES,
    lifecycle::CASES,
];

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let cases = wanted(std::env::args().skip(1))?;
    let Some((cluster, _guard)) = cluster(cases.len())? else {
        return Ok(());
    };
    let begin = Instant::now();
    for folder in [collect::closed(), collect::feeds()] {
        if folder.exists() {
            std::fs::remove_dir_all(folder)?;
        }
    }
    let shop = Shop::open(&cluster).inspect_err(|_| look(&cluster))?;
    println!(
        "        {:5.1} s  until the chart is installed and every app is ready",
        begin.elapsed().as_secs_f64()
    );
    let outcome = runner::run(&shop, &cases);
    let [passed, failed, skipped] = [&outcome.passed, &outcome.failed, &outcome.skipped]
        .map(|count| count.load(Ordering::Relaxed));
    if failed > 0 {
        look(&cluster);
    }
    println!(
        "{passed} passed, {failed} failed, {skipped} skipped in {:.0} s",
        begin.elapsed().as_secs_f64()
    );
    ensure!(failed == 0, "{failed} of {} cases failed", cases.len());
    Ok(())
}

fn wanted(arguments: impl Iterator<Item = String>) -> Result<Vec<&'static Case>> {
    let (flags, parts): (Vec<_>, Vec<_>) = arguments.partition(|text| text.starts_with('-'));
    let soak = flags.iter().any(|flag| flag == "--soak");
    let chosen = |case: &Case| match parts.as_slice() {
        [] => case.long == soak || case.turn == Turn::Last,
        parts => case.long <= soak && parts.iter().any(|part| case.name.contains(part)),
    };
    let cases: Vec<&Case> = CASES
        .into_iter()
        .flatten()
        .filter(|case| chosen(case))
        .collect();
    ensure!(
        !cases.is_empty(),
        "no case is named like {}",
        parts.join(" or ")
    );
    Ok(cases)
}

fn cluster(cases: usize) -> Result<Option<(Cluster, Option<Guard>)>> {
    match std::env::var("CREDENCE_TEST_CLUSTER").as_deref() {
        Ok("new") => {
            let state = State::standard()?;
            network::unclaimed()?;
            packages::install()?;
            let archives = Archives::build()?;
            interrupt::take_down_on_signal(state.clone())?;
            let cluster = Cluster::up(&state, &archives)?;
            let guard = cluster.guard();
            Ok(Some((cluster, Some(guard))))
        }
        Ok("existing") => Ok(Some((Cluster::attach()?, None))),
        Ok(other) => bail!("CREDENCE_TEST_CLUSTER is {other}, not new or existing"),
        Err(_) if std::env::var("CI").as_deref() == Ok("true") => {
            bail!(
                "the cluster cases must run in CI: set CREDENCE_TEST_CLUSTER=new (`make test` does)"
            )
        }
        Err(_) => {
            println!("{cases} cluster cases not run: set CREDENCE_TEST_CLUSTER to new or existing");
            Ok(None)
        }
    }
}

/// Keeps what the cluster says for whoever looks into the failure.
fn look(cluster: &Cluster) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("collected");
    match collect::collect(cluster, &folder) {
        Ok(()) => eprintln!("what the cluster says is in {}", folder.display()),
        Err(error) => eprintln!("collecting: {error:#}"),
    }
}
