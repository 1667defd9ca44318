//! Refresh tokens that the provider replaces each time, while the replica that
//! refreshes them is lost.

use std::hash::{BuildHasher as _, RandomState};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use credence_core::Environment;
use credence_core::token::Record;
use credence_tests::leader::Leader;
use credence_tests::shop::{Branch, Issuer, PATIENCE, SYSTEM, Shop};
use credence_tests::wait::until;
use jiff::Timestamp;
use serde_json::json;

use crate::callers::Callers;
use crate::calls::expect;
use crate::case::Case;
use crate::runner::note;
use crate::status::scale;
use crate::tokens::{condition, pod, unharmed};

const HERE: &str = "the processes of the operator are elsewhere";

pub(crate) const CASES: &[Case] = &[
    Case::alone(
        "a leader lost between two refreshes costs nothing",
        |shop| lost_between_refreshes(shop, &LOSSES.map(|loss| (Duration::ZERO, loss))),
    )
    .here(HERE),
    Case::alone(
        "a leader lost again and again between two refreshes costs nothing",
        |shop| lost_between_refreshes(shop, &at_random(18)),
    )
    .here(HERE)
    .soak(),
    Case::alone(
        "a leader lost in the moment of a refresh is told truthfully",
        lost_in_the_moment_of_a_refresh,
    )
    .here(HERE),
];

/// How a leader is lost.
#[derive(Clone, Copy, Debug)]
enum Loss {
    /// Killed where it stands.
    Killed,
    /// Stopped until another leads, and then let go on.
    Paused,
    /// The API server is not reached until then.
    CutOff,
}

const LOSSES: [Loss; 3] = [Loss::Killed, Loss::Paused, Loss::CutOff];

/// So many, each as likely as the others, and each within some seconds.
fn at_random(times: usize) -> Vec<(Duration, Loss)> {
    let loss = || LOSSES[random(LOSSES.len() as u64) as usize];
    let losses = std::iter::repeat_with(|| (Duration::from_millis(random(5_000)), loss()));
    losses.take(times).collect()
}

/// From 0 to less than this.
fn random(end: u64) -> u64 {
    RandomState::new().hash_one(end) % end
}

/// Renewed in the middle of it. What is left then is longer than a leader waits
/// for the answer to a refresh that another one began: whatever happens to the
/// one, the other can try again before the token ends.
const LIFETIME: u64 = 90;
/// So short that the next refreshes of two tokens are less than half a minute
/// apart: the first is still waiting for its answer when the second begins.
const SHORT: u64 = 60;
/// Whoever refreshed may lose the answer within this without losing more.
const GRACE: u64 = 120;

/// With three replicas, the one that leads is lost again and again, at a moment
/// that nobody has chosen. The provider sees one refresh for each token and
/// no refresh token twice, and no call fails.
fn lost_between_refreshes(shop: &Shop, losses: &[(Duration, Loss)]) -> Result<()> {
    with_three(shop, "minting", |branch| {
        let client = json!({"user": {
            "secrets": [shop.secret("client")], "identity": "a person",
            "lifetimeSeconds": LIFETIME, "refreshToken": shop.secret("refresh"),
        }});
        let issuer = Issuer::start(branch, &client)?;
        collect(branch, &issuer, "person", "user", "refresh", 0)?;
        branch.wait_for("apicollection/person", "condition=Ready")?;
        let callers = Callers::of(branch, "person", 3)?;
        let state = State::of(branch, &issuer)?;
        for (after, loss) in losses {
            sleep(*after);
            let leader = Leader::wait_for(shop)?;
            issuer.tell("wait")?;
            state.until_written()?;
            match loss {
                Loss::Killed => {
                    leader.kill(shop)?;
                    issuer.tell("answer")?;
                }
                Loss::Paused => {
                    let paused = leader.pause()?;
                    issuer.tell("answer")?;
                    leader.until_replaced(shop)?;
                    drop(paused);
                }
                Loss::CutOff => {
                    let cut_off = leader.cut_off()?;
                    // What it had begun before ends without an answer that
                    // it could write down: that is the other case.
                    state.until_written()?;
                    issuer.tell("answer")?;
                    leader.until_replaced(shop)?;
                    drop(cut_off);
                }
            }
        }
        let rotations = issuer.count("user", "rotations")?;
        until("another refresh", PATIENCE, || {
            Ok((issuer.count("user", "rotations")? > rotations).then_some(()))
        })?;
        state.until_written()?;
        let [requests, rotations, repeated, reused] =
            ["requests", "rotations", "repeated", "reused"].map(|what| issuer.count("user", what));
        let rotations = rotations?;
        ensure!(requests? == rotations, "{}", issuer.counters()?);
        ensure!((repeated?, reused?) == (0, 0), "{}", issuer.counters()?);
        for change in callers.unfailed()? {
            ensure!(change.is("a person"), "{change:?}");
        }
        unharmed(&issuer)?;
        branch.wait_for("apicollection/person", "condition=Ready")?;
        note(format!(
            "{losses:?}: {rotations} refreshes, {} calls, none failed",
            issuer.counters()?["answered"]
        ));
        Ok(())
    })
}

/// The provider has replaced a refresh token, and whoever was to write the new
/// one down is killed. With a provider that takes the old one for a while,
/// nothing is lost. With any other the token is used to its end, the old refresh
/// token is tried once, and a person is asked for.
fn lost_in_the_moment_of_a_refresh(shop: &Shop) -> Result<()> {
    with_three(shop, "minting-inside", |branch| {
        let client = |identity: &str, refresh: &str, grace: u64| {
            json!({
                "secrets": [shop.secret("client")], "identity": identity, "graceSeconds": grace,
                "lifetimeSeconds": SHORT, "refreshToken": shop.secret(refresh),
            })
        };
        let clients = json!({
            "user": client("a person", "refresh", 0),
            "lenient": client("a lenient one", "refresh-lenient", GRACE),
        });
        let issuer = Issuer::start(branch, &clients)?;
        collect(branch, &issuer, "person", "user", "refresh", 0)?;
        collect(
            branch,
            &issuer,
            "lenient",
            "lenient",
            "refresh-lenient",
            GRACE,
        )?;
        for name in ["person", "lenient"] {
            branch.wait_for(&format!("apicollection/{name}"), "condition=Ready")?;
        }
        let callers = Callers::of(branch, "lenient", 2)?;
        let pod = pod(branch)?;
        let leader = Leader::wait_for(shop)?;
        let before = issuer.tell("hold")?;
        for client in ["user", "lenient"] {
            until("a refresh whose answer is held back", PATIENCE, || {
                let rotations = issuer.count(client, "rotations")?;
                Ok((rotations > Issuer::counted(&before, client, "rotations")).then_some(()))
            })?;
        }
        leader.kill(shop)?;
        issuer.tell("answer")?;

        let state = State::of(branch, &issuer)?;
        let last = until("the person to be asked for", PATIENCE, || {
            let answer = branch.call(pod, "/person/x")?;
            if answer["status"] == 200 {
                return Ok(None);
            }
            let now = Timestamp::now();
            let usable = state.record()?.held.is_some_and(|held| held.is_usable(now));
            // The provider ends the access token when it sees the old refresh
            // token again: a call that was on its way then is refused by it.
            ensure!(
                !usable || issuer.count("user", "reused")? == 1,
                "refused before the end of the token: {answer} {}",
                issuer.counters()?
            );
            let over = answer["body"]
                .as_str()
                .is_some_and(|body| body.contains("reauthorization-required"));
            Ok(over.then_some(answer))
        })?;
        expect(&last, 503, "reauthorization-required")?;
        branch.wait_for("apicollection/person", "condition=ReauthorizationRequired")?;
        let condition = condition(branch, "person", "ReauthorizationRequired")?;
        ensure!(
            condition["reason"] == "RefreshOutcomeUnknown",
            "{condition}"
        );
        ensure!(
            issuer.count("user", "reused")? == 1,
            "{}",
            issuer.counters()?
        );

        ensure!(
            issuer.count("lenient", "repeated")? == 1,
            "{}",
            issuer.counters()?
        );
        ensure!(
            issuer.count("lenient", "reused")? == 0,
            "{}",
            issuer.counters()?
        );
        let calls = callers.unfailed()?.len();
        ensure!(issuer.counters()?["expired"] == 0, "{}", issuer.counters()?);
        note(format!(
            "with a grace period no call failed ({calls} changes)"
        ));
        Ok(())
    })
}

fn with_three(shop: &Shop, name: &str, work: impl FnOnce(&Branch<'_>) -> Result<()>) -> Result<()> {
    scale(shop, 3)?;
    let done = shop.with_branch(name, Environment::Development, work);
    scale(shop, 2)?;
    done
}

/// A collection with the issuer's client and its first refresh token.
fn collect(
    branch: &Branch<'_>,
    issuer: &Issuer<'_>,
    name: &str,
    client: &str,
    refresh: &str,
    grace: u64,
) -> Result<()> {
    let shop = branch.shop();
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name},
        "stringData": {"client-secret": shop.secret("client"), "refresh-token": shop.secret(refresh)},
    });
    let mut token = json!({"client": {"id": client, "secret": "${secret.client-secret}"}});
    if grace > 0 {
        token["lifetime"] = json!({"graceSeconds": grace});
    }
    let auth = json!({"oauth2RefreshToken": {"token": token}});
    branch.apply(&[secret, issuer.collection(name, &auth)])
}

/// What the operator has written down, against what the issuer has done.
struct State<'a> {
    branch: &'a Branch<'a>,
    issuer: &'a Issuer<'a>,
    /// The generation of the record when this many tokens were issued.
    since: (u64, u64),
}

impl<'a> State<'a> {
    fn of(branch: &'a Branch<'a>, issuer: &'a Issuer<'a>) -> Result<Self> {
        let mut state = Self {
            branch,
            issuer,
            since: (0, 0),
        };
        state.since = (state.record()?.generation, issuer.count("user", "issued")?);
        Ok(state)
    }

    /// Waits until nothing that the issuer has done is unwritten, and nothing
    /// is under way.
    fn until_written(&self) -> Result<()> {
        until("everything to be written", PATIENCE, || {
            let record = self.record()?;
            let issued = self.issuer.count("user", "issued")?;
            let written = record.generation - self.since.0 == issued - self.since.1;
            let idle = record.intent.is_none() && record.unread.is_none();
            if written && idle {
                return Ok(Some(()));
            }
            // What waits is let through, and the next is caught.
            self.issuer.tell("answer")?;
            self.issuer.tell("wait")?;
            Ok(None)
        })
    }

    fn record(&self) -> Result<Record> {
        let list = [
            "-n",
            SYSTEM,
            "get",
            "secrets",
            "-l",
            "credence.dev/token-state",
        ];
        let list = self.branch.shop().cluster().kubectl().json(&list)?;
        let of = format!("{}/person", self.branch.namespace());
        let secrets = list["items"].as_array().context("Secrets")?;
        let mut secrets = secrets.iter();
        let secret = secrets
            .find(|secret| secret["metadata"]["annotations"]["credence.dev/collection"] == of)
            .context("nothing is kept of the token")?;
        let data = secret["data"]["record"].as_str().context("a record")?;
        Ok(Record::of_bytes(&BASE64_STANDARD.decode(data)?)?)
    }
}
