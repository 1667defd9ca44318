//! A hundred collections and a hundred sidecars.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use credence_core::Environment;
use credence_core::names::AUDIENCE;
use credence_tests::session::{Session, Trust};
use credence_tests::shop::{Branch, PATIENCE, Shop, restricted_pod};
use credence_tests::token::Issuer;
use credence_tests::{cgroups, process, wait};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::case::Case;
use crate::runner::note;
use crate::strangers::{Feed, largest};

const HERE: &str = "the cluster's key, and the processes of pods, are elsewhere";

/// Collections, each with a Secret of its own.
const COLLECTIONS: usize = 100;
/// Pods, each with one sidecar.
const SIDECARS: usize = 100;
/// KiB that a replica may have.
const LIMIT: u64 = 40 * 1024;
/// The sidecars' pods are on a node on which nothing runs.
const NODE: &str = "crowd";

pub(crate) const CASES: &[Case] = &[Case::alone(
    "a hundred collections for a hundred sidecars fit into 40 MiB",
    a_hundred_of_both,
)
.here(HERE)];

/// What sidecars were sent: the number of the sidecar, when, and the bundle.
type Sent = (usize, Instant, Arc<str>);

fn a_hundred_of_both(shop: &Shop) -> Result<()> {
    let replicas = [Feed::of(shop, 0)?, Feed::of(shop, 1)?];
    shop.with_branch("crowd", Environment::Development, |branch| {
        let empty = largest()?;
        stock(branch)?;
        let tokens = people(branch)?;
        let (sender, sent) = channel();
        let mut sidecars = JoinSet::new();
        let begin = Instant::now();
        for (number, token) in tokens.into_iter().enumerate() {
            let replica = &replicas[number % 2];
            let follow = follow(
                number,
                replica.address,
                replica.trust.clone(),
                token,
                sender.clone(),
            );
            sidecars.spawn_on(follow, replicas[0].runtime.handle());
        }
        let names = |text: &str| text.matches("\"crowd-").count();
        until_all(&sent, |bundle| names(bundle) == COLLECTIONS)?;
        let connected = begin.elapsed();
        let full = largest()?;

        let (mut firsts, mut lasts) = (Vec::new(), Vec::new());
        for edit in 0..5 {
            let value = format!("crowd-key-0-edited-{edit}");
            let begin = Instant::now();
            branch.write_secret("crowd-0", "api-key", &value)?;
            let seen = until_all(&sent, |bundle| bundle.contains(&value))?;
            let after = |at: &Instant| at.duration_since(begin).as_millis();
            firsts.push(seen.iter().map(after).min().unwrap_or_default());
            lasts.push(seen.iter().map(after).max().unwrap_or_default());
        }
        let edited = largest()?;

        process::kill(&cgroups::running("credence-operator")?)?;
        while sent.try_recv().is_ok() {}
        let killed = Instant::now();
        until_all(&sent, |bundle| names(bundle) == COLLECTIONS)?;
        let back = killed.elapsed();
        wait::until("both replicas", PATIENCE, || {
            Ok((cgroups::running("credence-operator")?.len() == 2).then_some(()))
        })?;
        let stormed = largest()?;
        sidecars.abort_all();
        note(format!(
            "KiB of the larger replica: {empty} before, {full} with all connected, {edited} after \
             edits, {stormed} after a restart; all connected after {:.1} s, again {:.1} s after \
             both were killed",
            connected.as_secs_f64(),
            back.as_secs_f64(),
        ));
        note(format!(
            "ms from the edit of a Secret, kubectl's time included, to the first sidecar \
             {firsts:?}, to all {lasts:?}"
        ));
        let most = full.max(edited).max(stormed);
        ensure!(most <= LIMIT, "a replica needs {most} KiB");
        branch.kubectl(&["delete", "pods", "--all", "--grace-period=0", "--force"])?;
        let node = ["delete", "node", NODE];
        shop.cluster().kubectl().run(&node)?;
        Ok(())
    })
}

/// Waits until each sidecar was sent such a bundle; when that was.
fn until_all(sent: &Receiver<Sent>, wanted: impl Fn(&str) -> bool) -> Result<Vec<Instant>> {
    let deadline = Instant::now() + PATIENCE;
    let mut seen = BTreeMap::new();
    while seen.len() < SIDECARS {
        let left = deadline.saturating_duration_since(Instant::now());
        let (number, at, bundle) = sent
            .recv_timeout(left)
            .with_context(|| format!("{} of {SIDECARS} sidecars have it", seen.len()))?;
        if wanted(&bundle) {
            seen.entry(number).or_insert(at);
        }
    }
    Ok(seen.into_values().collect())
}

/// As a sidecar does: whatever happens, it comes back, and waits longer after
/// each failure in a row.
async fn follow(
    number: usize,
    address: SocketAddr,
    trust: Trust,
    token: String,
    sent: Sender<Sent>,
) {
    let mut failures = 0_u32;
    loop {
        let mut was_sent = false;
        if let Ok(mut session) = Session::open(address, &trust).await {
            let ended = session.follow(&token, |bundle| {
                was_sent = true;
                // Nobody listens between two questions.
                let _ = sent.send((number, Instant::now(), bundle.into()));
            });
            // It always ends by an error: the stream is over.
            let _ = ended.await;
        }
        failures = if was_sent { 0 } else { failures + 1 };
        let longest = Duration::from_millis(200 << failures.min(5));
        let share = u32::try_from(number % 10).unwrap_or_default();
        tokio::time::sleep(longest / 2 + longest * share / 20).await;
    }
}

/// Collections that differ in their names and Secrets only.
fn stock(branch: &Branch<'_>) -> Result<()> {
    let objects: Vec<Value> = (0..COLLECTIONS)
        .flat_map(|number| {
            let name = format!("crowd-{number}");
            [
                json!({
                    "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name},
                    "stringData": {"api-key": format!("crowd-key-{number}")},
                }),
                json!({
                    "apiVersion": "credence.dev/v1alpha1", "kind": "ApiCollection",
                    "metadata": {"name": name},
                    "spec": {
                        "baseUrl": "https://api.crowd.test/v1",
                        "auth": {"apiKey": {
                            "in": "Header", "name": "Authorization", "value": "Bearer ${secret.api-key}",
                        }},
                        "development": {"secretRef": {"name": name}},
                    },
                }),
            ]
        })
        .collect();
    branch.apply(&objects)
}

/// Pods that exist as objects only, and their tokens.
fn people(branch: &Branch<'_>) -> Result<Vec<String>> {
    let shop = branch.shop();
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}});
    shop.cluster().kubectl().apply(&node.to_string())?;
    let pods: Vec<Value> = (0..SIDECARS)
        .map(|number| {
            let mut spec = restricted_pod(&["hold"]);
            spec["nodeName"] = json!(NODE);
            json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": format!("crowd-{number}"), "labels": {"crowd": "true"}},
                "spec": spec,
            })
        })
        .collect();
    branch.apply(&pods)?;
    let issuer = Issuer::of(shop.cluster().state().context("a cluster of ours")?)?;
    let account = branch.json(&["get", "serviceaccount", "default"])?;
    let pods = branch.json(&["get", "pods", "-l", "crowd"])?;
    let pods = pods["items"].as_array().context("pods")?;
    pods.iter()
        .map(|pod| issuer.token(AUDIENCE, pod, &account, 3600))
        .collect()
}
