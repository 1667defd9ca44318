//! Who is not given a bundle, how he is told, and what it costs.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use credence_core::names::{AUDIENCE, CONTAINER, FEED_PORT, INJECTED};
use credence_core::wire::{Ack, Event};
use credence_core::{Environment, names};
use credence_tests::image::SIDECAR;
use credence_tests::pki::Authority;
use credence_tests::session::{Session, Trust};
use credence_tests::shop::{APP, Branch, PATIENCE, SYSTEM, Shop, restricted_pod};
use credence_tests::token::Issuer;
use credence_tests::{cgroups, wait};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::case::Case;
use crate::runner::note;

const HERE: &str = "the cluster's key, and the processes of pods, are elsewhere";

/// How many bad attempts are made, and by how many connections.
const ATTEMPTS: usize = 10_000;
const CONNECTIONS: usize = 500;
/// KiB by which the operator may have grown after them: what allocators keep.
const GROWTH: u64 = 6 * 1024;

pub(crate) const CASES: &[Case] = &[
    Case::alone("the feed refuses each stranger by a reason", by_a_reason).here(HERE),
    Case::alone(
        "a sidecar with another feed or authority is given nothing",
        with_another_feed,
    )
    .here(HERE),
    Case::alone(
        "a stream is acknowledged by its own sidecar only",
        by_its_own,
    )
    .here(HERE),
    Case::alone(
        "ten thousand bad attempts cost nothing and keep nobody waiting",
        bad_attempts_cost_nothing,
    )
    .here(HERE),
];

/// One replica of the operator, and who may ask it.
pub(crate) struct Feed {
    replica: String,
    pub(crate) address: SocketAddr,
    pub(crate) trust: Trust,
    pub(crate) runtime: Runtime,
}

impl Feed {
    /// The replica of this number.
    pub(crate) fn of(shop: &Shop, number: usize) -> Result<Self> {
        let kubectl = shop.cluster().kubectl();
        let label = "app.kubernetes.io/name=credence-operator";
        let pods = kubectl.json(&["-n", SYSTEM, "get", "pods", "-l", label])?;
        let pod = &pods["items"][number];
        let address = pod["status"]["podIP"].as_str().context("an address")?;
        let configuration =
            kubectl.json(&["get", "mutatingwebhookconfiguration", "credence-injector"])?;
        let bundle = configuration["webhooks"][0]["clientConfig"]["caBundle"].as_str();
        let bundle = BASE64_STANDARD.decode(bundle.context("caBundle")?)?;
        Ok(Self {
            replica: pod["metadata"]["name"]
                .as_str()
                .context("a name")?
                .to_owned(),
            address: SocketAddr::new(address.parse()?, FEED_PORT),
            trust: Trust::new(&String::from_utf8(bundle)?)?,
            runtime: tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()?,
        })
    }

    /// The status of an answer to this token.
    fn status(&self, token: Option<&str>) -> Result<u16> {
        self.runtime.block_on(async {
            let mut session = Session::open(self.address, &self.trust).await?;
            Ok(session.ask(token).await?.status().as_u16())
        })
    }

    fn log(&self, shop: &Shop) -> Result<String> {
        shop.cluster()
            .kubectl()
            .logs(SYSTEM, &self.replica, "operator")
    }

    /// The token is refused with this status, and the replica says why.
    fn refuses(&self, shop: &Shop, token: Option<&str>, status: u16, reason: &str) -> Result<()> {
        let said = |log: &str| log.matches(&format!("\"reason\":\"{reason}\"")).count();
        let before = said(&self.log(shop)?);
        let answered = self.status(token)?;
        ensure!(answered == status, "{reason}: answered {answered}");
        let log = wait::until(reason, PATIENCE, || {
            let log = self.log(shop)?;
            Ok((said(&log) > before).then_some(log))
        })?;
        if let Some(token) = token {
            let secret = token.rsplit('.').next().unwrap_or(token);
            ensure!(!log.contains(secret), "{reason}: the log holds the token");
        }
        Ok(())
    }
}

/// A pod of the branch as the API server shows it, and its ServiceAccount.
fn shown(branch: &Branch<'_>, pod: &str) -> Result<(Value, Value)> {
    let account = branch.json(&["get", "serviceaccount", "default"])?;
    Ok((branch.json(&["get", "pod", pod])?, account))
}

fn issuer(shop: &Shop) -> Result<Issuer> {
    Issuer::of(shop.cluster().state().context("a cluster of ours")?)
}

fn by_a_reason(shop: &Shop) -> Result<()> {
    let feed = Feed::of(shop, 0)?;
    let issuer = issuer(shop)?;
    shop.with_branch("strangers", Environment::Development, |branch| {
        branch.apply(&[pod("good"), pod("deleted"), other_image()])?;
        branch.wait_for("pod/good", "condition=Ready")?;
        branch.wait_for("pod/deleted", "condition=Ready")?;
        let (good, account) = shown(branch, "good")?;
        let token = |audience, pod, seconds| issuer.token(audience, pod, &account, seconds);

        // What is refused below is refused for one reason only.
        ensure!(feed.status(Some(&token(AUDIENCE, &good, 600)?))? == 200);

        feed.refuses(shop, None, 401, "no-token")?;
        feed.refuses(shop, Some("not.a.dG9rZW4tNDcxMQ"), 401, "not-authenticated")?;
        let other = token("https://kubernetes.default.svc", &good, 600)?;
        feed.refuses(shop, Some(&other), 401, "wrong-audience")?;
        let expired = token(AUDIENCE, &good, -3600)?;
        feed.refuses(shop, Some(&expired), 401, "expired")?;
        // So little that only the API server may say so.
        let just = token(AUDIENCE, &good, -60)?;
        feed.refuses(shop, Some(&just), 401, "not-authenticated")?;
        let forged = Issuer::unknown()?.token(AUDIENCE, &good, &account, 600)?;
        feed.refuses(shop, Some(&forged), 401, "not-authenticated")?;
        let nowhere = json!({"metadata": {"namespace": "strangers"}});
        let unbound = issuer.token(AUDIENCE, &nowhere, &account, 600)?;
        feed.refuses(shop, Some(&unbound), 401, "not-authenticated")?;

        let (deleted, _) = shown(branch, "deleted")?;
        branch.kubectl(&["delete", "pod", "deleted", "--grace-period=0", "--force"])?;
        let gone = token(AUDIENCE, &deleted, 600)?;
        feed.refuses(shop, Some(&gone), 401, "not-authenticated")?;
        let (other, _) = shown(branch, "other-image")?;
        feed.refuses(
            shop,
            Some(&token(AUDIENCE, &other, 600)?),
            403,
            "other-image",
        )
    })
}

fn pod(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "spec": restricted_pod(&["hold"]),
    })
}

/// A pod that looks injected, but whose sidecar is somebody else's.
fn other_image() -> Value {
    let mut pod = pod("other-image");
    pod["metadata"]["labels"] = json!({names::INJECT: "false", INJECTED: "true"});
    let mut sidecar = pod["spec"]["containers"][0].clone();
    sidecar["name"] = json!(CONTAINER);
    sidecar["image"] = json!(SIDECAR.replace("sidecar", "other"));
    sidecar["restartPolicy"] = json!("Always");
    sidecar["args"] = json!(null);
    pod["spec"]["initContainers"] = json!([sidecar]);
    pod
}

/// Sidecars of ours by their image, of which two would show their token to
/// somebody else: by its address, or by an authority of his.
fn with_another_feed(shop: &Shop) -> Result<()> {
    let feed = Feed::of(shop, 0)?;
    let issuer = issuer(shop)?;
    let stranger = Authority::new("stranger")?;
    shop.with_branch("dialled", Environment::Development, |branch| {
        branch.apply(&[pod("good")])?;
        branch.wait_for("pod/good", "condition=Ready")?;
        let (good, account) = shown(branch, "good")?;
        let sidecar = &good["spec"]["initContainers"][0];
        let by_hand = |name: &str, variable: &str, change: &dyn Fn(&str) -> String| {
            let mut pod = pod(name);
            pod["metadata"]["labels"] = json!({names::INJECT: "false", INJECTED: "true"});
            let mut copy = json!({});
            for member in ["name", "image", "restartPolicy", "env", "securityContext"] {
                copy[member] = sidecar[member].clone();
            }
            for told in copy["env"].as_array_mut().into_iter().flatten() {
                if told["name"] == variable {
                    told["value"] = change(told["value"].as_str().unwrap_or_default()).into();
                }
            }
            pod["spec"]["initContainers"] = json!([copy]);
            pod
        };
        branch.apply(&[
            by_hand("same", "NOTHING", &str::to_owned),
            by_hand("elsewhere", names::FEED_VARIABLE, &|_| {
                "theirs.test:8444".to_owned()
            }),
            by_hand("deceived", names::FEED_CA_VARIABLE, &|ours| {
                format!("{ours}{}", stranger.certificate())
            }),
        ])?;
        let token = |name: &str| {
            let (pod, _) = shown(branch, name)?;
            issuer.token(AUDIENCE, &pod, &account, 600)
        };
        ensure!(feed.status(Some(&token("same")?))? == 200, "the same");
        for other in ["elsewhere", "deceived"] {
            feed.refuses(shop, Some(&token(other)?), 403, "other-feed")?;
        }
        Ok(())
    })
}

/// An acknowledgement for another's stream, or longer than any, is refused, and
/// the stream goes on.
fn by_its_own(shop: &Shop) -> Result<()> {
    let feed = Feed::of(shop, 0)?;
    let issuer = issuer(shop)?;
    shop.with_branch("acks", Environment::Development, |branch| {
        branch.apply(&[pod("one"), pod("other")])?;
        let tokens = ["one", "other"].map(|name| {
            branch.wait_for(&format!("pod/{name}"), "condition=Ready")?;
            let (pod, account) = shown(branch, name)?;
            issuer.token(AUDIENCE, &pod, &account, 600)
        });
        let [one, other] = tokens;
        let (one, other) = (one?, other?);
        let (stream, statuses) = feed.runtime.block_on(async {
            let mut mine = Session::open(feed.address, &feed.trust).await?;
            let mut theirs = Session::open(feed.address, &feed.trust).await?;
            let _open = theirs.ask(Some(&other)).await?;
            let mut lines = mine.ask(Some(&one)).await?.into_body();
            let hello = lines.frame().await.context("hello")??.into_data();
            let Event::Hello { stream, .. } = Event::decode(&hello.unwrap_or_default())? else {
                anyhow::bail!("a stream begins with hello");
            };
            let ack = |length: usize| -> Result<Bytes> {
                let reason = "x".repeat(length);
                let ack = Ack {
                    stream: stream.clone(),
                    revision: "none".to_owned(),
                    refused: BTreeMap::from([("payments".to_owned(), reason)]),
                };
                Ok(serde_json::to_vec(&ack)?.into())
            };
            let statuses = [
                theirs.acknowledge(ack(1)?).await?,
                mine.acknowledge(ack(100_000)?).await?,
                mine.acknowledge(Bytes::from_static(b"{")).await?,
                mine.acknowledge(ack(1)?).await?,
            ];
            Ok((stream, statuses))
        })?;
        ensure!(statuses == [409, 400, 400, 204], "{statuses:?}");
        let log = feed.log(shop)?;
        for reason in ["no-stream", "bad-ack"] {
            ensure!(
                log.contains(&format!("\"reason\":\"{reason}\"")),
                "{reason}"
            );
        }
        ensure!(stream.len() == 32, "{stream}");
        // A pod's token yields that pod's bundle: that it was handed out is in
        // the log, with what and to whom, and no value.
        let hand_out = log
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .find(|line| line["audit"] == "hand-out" && line["pod"] == "one")
            .context("an audit line")?;
        ensure!(
            hand_out["namespace"] == "acks"
                && hand_out["service_account"] == "default"
                && hand_out["environment"] == "development"
                && hand_out["collections"]
                    .as_str()
                    .is_some_and(|names| names.split(',').any(|name| name == "payments")),
            "{hand_out}"
        );
        Ok(())
    })
}

/// Nothing of them is kept, and a pod that starts meanwhile is fed at once.
fn bad_attempts_cost_nothing(shop: &Shop) -> Result<()> {
    let feed = Feed::of(shop, 0)?;
    let unknown = Issuer::unknown()?;
    shop.with_branch("flood", Environment::Development, |branch| {
        branch.apply(&[pod("good")])?;
        branch.wait_for("pod/good", "condition=Ready")?;
        let (good, account) = shown(branch, "good")?;
        let forged: Vec<String> = (0..100)
            .map(|number| unknown.token(AUDIENCE, &good, &account, 600 + number))
            .collect::<Result<_>>()?;
        // Once before it is measured, so that what is made once is there.
        flood(&feed, &forged, CONNECTIONS / 10)?;
        let before = largest()?;
        let begin = Instant::now();
        let (refused, met) = std::thread::scope(|scope| {
            let flood = scope.spawn(|| flood(&feed, &forged, CONNECTIONS));
            let met = meet(branch);
            (flood.join(), met)
        });
        let refused = refused.map_err(|_| anyhow::anyhow!("the flood panicked"))??;
        let (took, met) = (begin.elapsed(), met?);
        let after = largest()?;
        let total: usize = refused.values().sum();
        ensure!(total == ATTEMPTS, "{refused:?}");
        ensure!(!refused.contains_key(&200), "{refused:?}");
        ensure!(
            after <= before + GROWTH,
            "the operator grew from {before} to {after} KiB"
        );
        let log = feed.log(shop)?;
        let signature = forged[0].rsplit('.').next().unwrap_or_default();
        ensure!(!log.contains(signature), "the log holds a token");
        note(format!(
            "{total} refused in {:.1} s: {refused:?}; a pod was ready after {:.1} s; \
             the operator had {before} KiB and has {after}",
            took.as_secs_f64(),
            met.as_secs_f64()
        ));
        // The address of this machine is another test's as well.
        let token = issuer(shop)?.token(AUDIENCE, &good, &account, 600)?;
        wait::until("to be heard again", PATIENCE, || {
            Ok((feed.status(Some(&token))? == 200).then_some(()))
        })
    })
}

/// How long a new pod takes until its app is answered.
fn meet(branch: &Branch<'_>) -> Result<Duration> {
    let begin = Instant::now();
    branch.apply(&[pod("meanwhile")])?;
    branch.wait_for("pod/meanwhile", "condition=Ready")?;
    let took = begin.elapsed();
    let answer = branch.call("meanwhile", "/payments/x")?;
    ensure!(answer["status"] == 200, "{APP} is answered {answer}");
    Ok(took)
}

/// Attempts over this many connections, by status.
fn flood(feed: &Feed, forged: &[String], connections: usize) -> Result<BTreeMap<u16, usize>> {
    feed.runtime.block_on(async {
        let mut refused = BTreeMap::new();
        for number in 0..connections {
            let mut session = Session::open(feed.address, &feed.trust).await?;
            for attempt in 0..ATTEMPTS / CONNECTIONS {
                let token = match attempt % 3 {
                    0 => None,
                    1 => Some("not.a.token"),
                    _ => Some(forged[(number + attempt) % forged.len()].as_str()),
                };
                let status = session.ask(token).await?.status().as_u16();
                *refused.entry(status).or_default() += 1;
            }
        }
        Ok(refused)
    })
}

/// Resident memory of the larger replica, in KiB.
pub(crate) fn largest() -> Result<u64> {
    let running = cgroups::running("credence-operator")?;
    let resident = running
        .iter()
        .map(credence_tests::process::Process::resident);
    resident.max().context("no operator runs")
}
