//! Real clients and servers on either side of `credence run`, and more load and
//! worse company than an app ever gives it.
//!
//! ```text
//!  SDKs, curl, Java, Go, Node ─► credence run ─► providers of the tests, nginx,
//!  1,000 slow connections     ─►              ─► stripe-mock, grpcio, websockets
//!                                            ─► oidc-provider, for tokens
//! ```
//!
//! `CREDENCE_TEST_CLIENTS=1` says that the network may be used to install what
//! is not there: Debian, Python and JavaScript packages and Go programs, all of fixed
//! versions and kept in the user's cache. Arguments are parts of the names of
//! the cases to run.

mod aws;
mod broken;
mod caller;
mod certificates;
mod credence;
mod curl;
mod http2;
mod manifests;
mod nginx;
mod oidc;
mod overload;
mod provider;
mod reload;
mod runtimes;
mod script;
mod sdks;
mod server;
mod silence;
mod slow;
mod stage;
mod transfer;
mod wired;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, bail};
use stage::Stage;

/// A case's name and what it does. It gives its figures, and fails by an error
/// or a panic.
type Case = (&'static str, fn(&Stage) -> Result<String>);

/// In this order: what looks at everything that was said comes last.
const CASES: &[Case] = &[
    (
        "the openai SDK chats, streams and uploads",
        sdks::openai_chats_streams_and_uploads,
    ),
    (
        "the stripe SDK creates, reads and is told its errors",
        sdks::stripe_creates_reads_and_is_told_its_errors,
    ),
    (
        "boto3 stores, reads and streams by signed calls",
        aws::boto3_stores_reads_and_streams,
    ),
    (
        "a certified OAuth server issues, rotates and notices reuse",
        oidc::rotation::issues_rotates_and_notices_reuse,
    ),
    (
        "a certified OAuth server knows each client by its proof",
        oidc::proofs::knows_each_client_by_its_proof,
    ),
    (
        "the default clients of Java, Go and Node call as they like",
        runtimes::default_clients_call_as_they_like,
    ),
    (
        "curl calls with every version and expectation",
        curl::calls_with_every_version_and_expectation,
    ),
    (
        "WebSocket says everything both ways",
        wired::websocket_says_everything_both_ways,
    ),
    (
        "gRPC streams and keeps its trailers",
        wired::grpc_streams_and_keeps_its_trailers,
    ),
    (
        "nginx stores and serves by HTTP/2",
        http2::nginx_stores_and_serves_by_http2,
    ),
    (
        "client certificates are shown, refused and renewed",
        certificates::client_certificates_are_shown_refused_and_renewed,
    ),
    (
        "a gibibyte goes up and down in little memory",
        transfer::a_gibibyte_goes_up_and_down_in_little_memory,
    ),
    (
        "a thousand slow connections are served and let go",
        slow::a_thousand_slow_connections_are_served_and_let_go,
    ),
    (
        "broken connections end in the right error",
        broken::broken_connections_end_in_the_right_error,
    ),
    (
        "without descriptors calls wait or fail, and then go on",
        overload::without_descriptors_calls_wait_or_fail_and_then_go_on,
    ),
    (
        "a changed Secret fails no call",
        reload::a_changed_secret_fails_no_call,
    ),
    (
        "no secret was left anywhere",
        silence::no_secret_was_left_anywhere,
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
    match std::env::var("CREDENCE_TEST_CLIENTS").as_deref() {
        Ok("1") => {}
        Ok(other) => bail!("CREDENCE_TEST_CLIENTS is {other}, not 1"),
        Err(_) if std::env::var("CI").as_deref() == Ok("true") => {
            bail!(
                "the cases with real clients must run in CI: set CREDENCE_TEST_CLIENTS=1 (`make test` does)"
            )
        }
        Err(_) => {
            println!(
                "{} cases with real clients not run: they install packages; set CREDENCE_TEST_CLIENTS=1 to let them",
                cases.len()
            );
            return Ok(());
        }
    }
    let stage = Stage::set()?;
    let failed = cases.iter().filter(|case| !passes(&stage, case)).count();
    if failed > 0 {
        bail!(
            "{failed} of {} cases failed; what was said is in {}",
            cases.len(),
            stage.collected().display()
        );
    }
    println!("{} passed, 0 failed", cases.len());
    Ok(())
}

fn passes(stage: &Stage, (name, case): &Case) -> bool {
    let begin = Instant::now();
    let outcome = catch_unwind(AssertUnwindSafe(|| case(stage)));
    let seconds = begin.elapsed().as_secs_f64();
    let (word, told) = match outcome {
        Ok(Ok(figures)) => ("ok    ", figures),
        Ok(Err(error)) => ("FAILED", format!("{error:#}")),
        // The panic's message has been printed where it happened.
        Err(_) => ("FAILED", String::new()),
    };
    println!("{word}  {seconds:5.1} s  {name}");
    for line in told.lines() {
        println!("                 {line}");
    }
    word == "ok    "
}
