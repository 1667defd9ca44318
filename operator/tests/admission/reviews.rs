//! What is asked by an API server.

use std::sync::Arc;
use std::time::{Duration, Instant};

use credence_operator::inject::InjectSettings;
use http::StatusCode;
use jiff::Timestamp;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::rig::{Asker, JSON, Webhook, admitted, pod, request, resident, review};

/// What a burst of new pods may ask for.
const PER_SECOND: u32 = 200;
const SECONDS: u32 = 5;
/// What the webhook aims at; how busy the machine is decides, so it is shown
/// and not demanded.
const TARGET: Duration = Duration::from_millis(25);
/// Above what an allocator keeps for itself, far below one leak a review.
const GROWTH: u64 = 16 * 1024 * 1024;

async fn burst(askers: &[Asker], settings: &Arc<InjectSettings>, count: u32) -> Vec<Duration> {
    let mut pace = interval(Duration::from_secs(1) / PER_SECOND);
    pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut asked = JoinSet::new();
    for number in 0..count {
        pace.tick().await;
        let asker = askers[number as usize % askers.len()].clone();
        asked.spawn(admitted(asker, settings.clone(), number));
    }
    asked.join_all().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_pods_a_second_are_all_answered_rightly_and_memory_stays_flat() {
    let webhook = Webhook::start().await;
    let settings = Arc::new(webhook.settings());
    let askers = [
        webhook.http2().await,
        webhook.http1().await,
        webhook.http2().await,
        webhook.http1().await,
    ];
    burst(&askers, &settings, PER_SECOND).await;
    let before = resident();
    let begun = Instant::now();
    let count = PER_SECOND * SECONDS;
    let mut took = burst(&askers, &settings, count).await;
    let elapsed = begun.elapsed();
    let grown = resident().saturating_sub(before);
    assert_eq!(took.len(), count as usize);
    took.sort();
    let (p50, p99) = (took[took.len() / 2], took[took.len() * 99 / 100]);
    println!(
        "{count} pods in {elapsed:.1?}: p50 {p50:.1?}, p99 {p99:.1?} (target {TARGET:?}), \
         memory {} KiB more",
        grown / 1024
    );
    assert!(grown < GROWTH, "{grown} bytes more after {count} reviews");
    let metrics = webhook.metrics.render(&[], Timestamp::now());
    let all = PER_SECOND + count;
    let counted = format!(
        "credence_admission_requests_total{{decision=\"inject\",reason=\"opted-in\"}} {all}"
    );
    assert!(metrics.contains(&counted), "{metrics}");
}

#[tokio::test]
async fn what_is_no_review_is_answered_for_what_it_is() {
    let webhook = Webhook::start().await;
    let asker = webhook.http2().await;
    let good = review("u", &pod(1));
    for (method, path, kind, body, expected) in [
        (
            "POST",
            "/inject",
            "application/json; charset=utf-8",
            good.clone(),
            200,
        ),
        ("POST", "/", JSON, good.clone(), 404),
        ("GET", "/inject", JSON, Vec::new(), 405),
        ("POST", "/inject", "application/yaml", good, 415),
        ("POST", "/inject", JSON, vec![b' '; 11 * 1024 * 1024], 413),
    ] {
        let (status, _) = asker.ask(request(method, path, kind, body)).await;
        assert_eq!(status.as_u16(), expected, "{method} {path} {kind}");
    }
    let (status, body) = asker.ask(request("POST", "/inject", JSON, "{}")).await;
    assert_eq!(status, StatusCode::OK);
    let answer: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(answer["response"]["allowed"], false);
}
