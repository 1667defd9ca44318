//! The end-to-end cases, in order, on one cluster.
//!
//! `CREDENCE_TEST_CLUSTER` says on which: `new` starts one here and takes it
//! down at the end (needs root), `existing` takes the one that `KUBECONFIG`
//! names or that `make cluster` left. Arguments are parts of the names of the
//! cases to run.

mod calls;
mod environment;
mod feed;
mod footprint;
mod harness;
mod isolation;
mod outage;
mod rotation;

use std::cell::OnceCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use credence_tests::images::Archives;
use credence_tests::shop::Shop;
use credence_tests::state::State;
use credence_tests::{Cluster, collect, interrupt, network, packages};

/// A case's name and what it does; it fails by an error or a panic.
type Case = (&'static str, Act);

enum Act {
    /// On the bare cluster.
    Bare(fn(&Cluster) -> Result<()>),
    /// On the shop, which is opened before the first of these.
    Shop(fn(&Shop) -> Result<()>),
}

/// In this order: what reads the audit log and the feed of the development
/// namespace comes before that namespace is promoted, and what looks at
/// everything that was said and used comes last.
const CASES: &[Case] = &[
    (
        "a restricted pod has a sidecar, names, Services and a token with an audience",
        Act::Bare(harness::a_restricted_pod_has_all_that_a_sidecar_needs),
    ),
    (
        "each namespace gets its own key, by every method",
        Act::Shop(calls::each_namespace_gets_its_own_key),
    ),
    (
        "a Job calls and completes",
        Act::Shop(calls::a_job_calls_and_completes),
    ),
    (
        "the status counts sidecars",
        Act::Shop(calls::the_status_counts_sidecars),
    ),
    (
        "what cannot be authenticated is never sent",
        Act::Shop(calls::what_cannot_be_authenticated_is_never_sent),
    ),
    (
        "the app holds no key",
        Act::Shop(isolation::the_app_holds_no_key),
    ),
    (
        "the operator has no right beyond its need",
        Act::Shop(isolation::the_operator_has_no_right_beyond_its_need),
    ),
    (
        "the proxy is reached from its own pod only",
        Act::Shop(isolation::the_proxy_is_reached_from_its_own_pod_only),
    ),
    (
        "a development feed never holds a live key",
        Act::Shop(feed::a_development_feed_never_holds_a_live_key),
    ),
    (
        "strangers are refused by the feed",
        Act::Shop(feed::strangers_are_refused),
    ),
    (
        "a pod gets what it may use and no more",
        Act::Shop(feed::a_pod_gets_what_it_may_use_and_no_more),
    ),
    (
        "an edited Secret is used within a second and fails no call",
        Act::Shop(rotation::an_edited_secret_is_used_within_a_second_and_fails_no_call),
    ),
    (
        "a deleted Secret is an error and a condition",
        Act::Shop(rotation::a_deleted_secret_is_an_error_and_a_condition),
    ),
    (
        "the live Secret is not read in development",
        Act::Shop(isolation::the_live_secret_is_not_read_in_development),
    ),
    (
        "calls go on while the operator is killed",
        Act::Shop(outage::calls_go_on_while_the_operator_is_killed),
    ),
    (
        "relabelling needs the verb promote",
        Act::Shop(environment::relabelling_needs_the_verb_promote),
    ),
    (
        "a promoted namespace uses the other credential",
        Act::Shop(environment::a_promoted_namespace_uses_the_other_credential),
    ),
    (
        "both programs are small",
        Act::Shop(footprint::both_programs_are_small),
    ),
    (
        "no secret was left anywhere",
        Act::Shop(footprint::no_secret_was_left_anywhere),
    ),
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
    let shop = OnceCell::new();
    let failed = cases
        .iter()
        .filter(|case| !passes(&cluster, &shop, case))
        .count();
    if failed > 0 {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("collected");
        if let Err(error) = collect::collect(&cluster, &folder) {
            eprintln!("collecting: {error:#}");
        }
        bail!(
            "{} of {} cases failed; what the cluster says is in {}",
            failed,
            cases.len(),
            folder.display()
        );
    }
    println!("{} passed, 0 failed", cases.len());
    Ok(())
}

fn passes(cluster: &Cluster, shop: &OnceCell<Option<Shop>>, (name, case): &Case) -> bool {
    let begin = Instant::now();
    let outcome = catch_unwind(AssertUnwindSafe(|| match case {
        Act::Bare(act) => act(cluster),
        Act::Shop(act) => act(open(cluster, shop)?),
    }));
    let seconds = begin.elapsed().as_secs_f64();
    match outcome {
        Ok(Ok(())) => {
            println!("ok      {seconds:5.1} s  {name}");
            true
        }
        Ok(Err(error)) => {
            println!("FAILED  {seconds:5.1} s  {name}\n{error:#}");
            false
        }
        // The panic's message has been printed where it happened.
        Err(_) => {
            println!("FAILED  {seconds:5.1} s  {name}");
            false
        }
    }
}

/// The shop, which is opened once: if that fails, no case can pass.
fn open<'a>(cluster: &Cluster, shop: &'a OnceCell<Option<Shop>>) -> Result<&'a Shop> {
    if shop.get().is_none() {
        let begin = Instant::now();
        let opened = Shop::open(cluster);
        println!(
            "        {:5.1} s until the chart is installed and every app is ready",
            begin.elapsed().as_secs_f64()
        );
        let (opened, outcome) = match opened {
            Ok(opened) => (Some(opened), Ok(())),
            Err(error) => (None, Err(error)),
        };
        let _ = shop.set(opened);
        outcome?;
    }
    let opened = shop.get().and_then(Option::as_ref);
    opened.context("the shop could not be opened")
}
