//! Doing cases, beside each other where they can be, and counting.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use credence_tests::shop::Shop;

use crate::case::{Case, Turn};

/// Cases beside each other. They mostly wait: for pods to start, for the
/// operator to notice.
const THREADS: usize = 4;

/// The longest that a case may take.
const LIMIT: Duration = Duration::from_secs(600);

thread_local! {
    static NOTES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Prints below the present case's line what it measured.
pub(crate) fn note(text: impl Into<String>) {
    NOTES.with_borrow_mut(|notes| notes.push(text.into()));
}

/// How many passed, failed and were skipped.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) passed: AtomicUsize,
    pub(crate) failed: AtomicUsize,
    pub(crate) skipped: AtomicUsize,
}

/// Does the cases, in the order of their turns.
pub(crate) fn run(shop: &Shop, cases: &[&Case]) -> Outcome {
    let outcome = Outcome::default();
    let local = shop.cluster().state().is_some();
    let mut doable: Vec<&Case> = Vec::new();
    for case in cases {
        match case.here {
            Some(why) if !local => {
                outcome.skipped.fetch_add(1, Ordering::Relaxed);
                println!("skipped          {}: {why}", case.name);
            }
            _ => doable.push(case),
        }
    }
    let of = |turn| doable.iter().copied().filter(move |case| case.turn == turn);
    let waiting = Mutex::new(of(Turn::Parallel));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                // Taken out of the lock before it is done.
                while let Some(case) = next(&waiting) {
                    perform(shop, case, &outcome);
                }
            });
        }
    });
    for case in of(Turn::Alone).chain(of(Turn::Last)) {
        perform(shop, case, &outcome);
    }
    outcome
}

fn next<'a>(waiting: &Mutex<impl Iterator<Item = &'a Case>>) -> Option<&'a Case> {
    waiting.lock().ok()?.next()
}

fn perform(shop: &Shop, case: &Case, outcome: &Outcome) {
    let begin = Instant::now();
    let done = catch_unwind(AssertUnwindSafe(|| (case.act)(shop)));
    let took = begin.elapsed();
    let (word, error) = match done.map(|done| done.and_then(|()| in_time(took))) {
        Ok(Ok(())) => ("ok     ", None),
        Ok(Err(error)) => ("FAILED ", Some(format!("{error:#}"))),
        // The panic's message has been printed where it happened.
        Err(_) => ("FAILED ", Some("it panicked".to_owned())),
    };
    let mut said = format!("{word} {:5.1} s  {}", took.as_secs_f64(), case.name);
    for note in NOTES.take() {
        said.push_str("\n                 ");
        said.push_str(&note);
    }
    let count = match error {
        Some(error) => {
            said.push('\n');
            said.push_str(&error);
            &outcome.failed
        }
        None => &outcome.passed,
    };
    count.fetch_add(1, Ordering::Relaxed);
    // At once, or lines of other cases come in between.
    println!("{said}");
}

fn in_time(took: Duration) -> Result<()> {
    ensure!(
        took <= LIMIT,
        "no case may take longer than {} s",
        LIMIT.as_secs()
    );
    Ok(())
}
