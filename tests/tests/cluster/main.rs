//! The end-to-end cases, in order, on one cluster.
//!
//! `CREDENCE_TEST_CLUSTER` says on which: `new` starts one here and takes it
//! down at the end (needs root), `existing` takes the one that `KUBECONFIG`
//! names or that `make cluster` left. Arguments are parts of the names of the
//! cases to run.

mod harness;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, bail};
use credence_tests::images::Archives;
use credence_tests::state::State;
use credence_tests::{Cluster, collect, interrupt, network, packages};

/// A case's name and what it does; it fails by an error or a panic.
type Case = (&'static str, fn(&Cluster) -> Result<()>);

const CASES: &[Case] = &[(
    "a restricted pod has a sidecar, names, Services and a token with an audience",
    harness::a_restricted_pod_has_all_that_a_sidecar_needs,
)];

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
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let cases: Vec<&Case> = CASES
        .iter()
        .filter(|(name, _)| wanted.is_empty() || wanted.iter().any(|part| name.contains(part)))
        .collect();
    let (cluster, _guard) = match std::env::var("CREDENCE_TEST_CLUSTER").as_deref() {
        Ok("new") => {
            let state = State::standard()?;
            network::unclaimed()?;
            packages::install()?;
            let archives = Archives::build()?;
            interrupt::take_down_on_signal(state.clone())?;
            let cluster = Cluster::up(&state, &archives)?;
            let guard = cluster.guard();
            (cluster, Some(guard))
        }
        Ok("existing") => (Cluster::attach()?, None),
        Ok(other) => bail!("CREDENCE_TEST_CLUSTER is {other}, not new or existing"),
        Err(_) if std::env::var("CI").as_deref() == Ok("true") => {
            bail!(
                "the cluster cases must run in CI: set CREDENCE_TEST_CLUSTER=new (`make test` does)"
            )
        }
        Err(_) => {
            println!(
                "{} cluster cases not run: set CREDENCE_TEST_CLUSTER to new or existing",
                cases.len()
            );
            return Ok(());
        }
    };
    let failed: Vec<&str> = cases
        .iter()
        .filter(|case| !passes(&cluster, case))
        .map(|(name, _)| *name)
        .collect();
    if !failed.is_empty() {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("collected");
        if let Err(error) = collect::collect(&cluster, &folder) {
            eprintln!("collecting: {error:#}");
        }
        bail!(
            "{} of {} cases failed; what the cluster says is in {}",
            failed.len(),
            cases.len(),
            folder.display()
        );
    }
    println!("{} cases passed", cases.len());
    Ok(())
}

fn passes(cluster: &Cluster, (name, case): &Case) -> bool {
    let begin = Instant::now();
    let outcome = catch_unwind(AssertUnwindSafe(|| case(cluster)));
    let seconds = begin.elapsed().as_secs_f64();
    match outcome {
        Ok(Ok(())) => {
            println!("ok      {seconds:5.1} s  {name}");
            true
        }
        Ok(Err(error)) => {
            println!("FAILED  {seconds:5.1} s  {name}\n{error:?}");
            false
        }
        // The panic's message has been printed where it happened.
        Err(_) => {
            println!("FAILED  {seconds:5.1} s  {name}");
            false
        }
    }
}
