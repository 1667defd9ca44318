//! Tokens that the operator obtains.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use credence_core::Environment;
use credence_tests::shop::{APP, Branch, Issuer, PATIENCE, SYSTEM, Shop, restricted_pod};
use credence_tests::stolen::Window;
use credence_tests::wait::until;
use credence_tests::{cgroups, memory};
use serde_json::{Value, json};

use crate::callers::Callers;
use crate::calls::expect;
use crate::case::Case;
use crate::runner::note;

pub(crate) const CASES: &[Case] = &[
    Case::parallel(
        "a token is obtained once for all pods and renewed before it ends",
        a_token_is_obtained_once_for_all_pods_and_renewed_before_it_ends,
    ),
    Case::parallel(
        "a wrong client secret is told and a right one is used at once",
        a_wrong_client_secret_is_told_and_a_right_one_is_used_at_once,
    ),
    Case::parallel(
        "a token that the API takes back is renewed once and fails no call",
        a_token_that_the_api_takes_back_is_renewed_once_and_fails_no_call,
    ),
    Case::parallel(
        "an outage of the token endpoint is felt when the token ends",
        an_outage_of_the_token_endpoint_is_felt_when_the_token_ends,
    ),
    Case::parallel(
        "no sidecar's memory holds what tokens are obtained with",
        no_sidecars_memory_holds_what_tokens_are_obtained_with,
    )
    .here("the memory of pods is elsewhere"),
];

const PODS: usize = 3;
/// Renewed in the middle of it.
const LIFETIME: u64 = 20;
pub(crate) const COLLECTION: &str = "machine";
pub(crate) const OBJECT: &str = "apicollection/machine";
const STATE: &str = "--field-selector=type=credence.dev/token";

/// Pods call through some renewals and a change of the client's secret without
/// a failed call or a token after its end; the status tells when; and what the
/// operator keeps is gone with the collection.
fn a_token_is_obtained_once_for_all_pods_and_renewed_before_it_ends(shop: &Shop) -> Result<()> {
    shop.with_branch("tokens", Environment::Development, |branch| {
        let begin = Instant::now();
        let issuer = open(branch, shop.secret("client"))?;
        branch.wait_for(OBJECT, "condition=Ready")?;
        ensure!(
            issuer.count("app", "issued")? > 0,
            "no token before there is a pod"
        );
        let callers = Callers::of(branch, COLLECTION, PODS)?;
        let calls = answered(&issuer)?;
        until("two renewals", PATIENCE, || {
            Ok((issuer.count("app", "issued")? >= 3).then_some(()))
        })?;
        let status = branch.json(&["get", OBJECT])?["status"].take();
        let token = &status["environments"][0]["token"];
        for time in ["obtainedAt", "expiresAt", "nextRefreshAt"] {
            ensure!(token[time].is_string(), "{status}");
        }
        ensure!(token["expiresAt"] == status["expires"], "{status}");

        branch.write_secret(COLLECTION, "client-secret", shop.secret("client-next"))?;
        let issued = issuer.count("app", "issued")?;
        until("a token for the new secret", PATIENCE, || {
            Ok((issuer.count("app", "issued")? > issued).then_some(()))
        })?;
        branch.wait_for(OBJECT, "condition=TokenReady")?;
        for change in callers.unfailed()? {
            ensure!(change.is("machine app"), "{change:?}");
        }
        let seconds = begin.elapsed().as_secs();
        let issued = issuer.count("app", "issued")?;
        // One at first, one for the new secret, and one in each half life.
        ensure!(
            issued <= 3 + seconds * 2 / LIFETIME,
            "{issued} tokens in {seconds} s"
        );
        unharmed(&issuer)?;
        note(format!(
            "{} calls of {PODS} pods in {seconds} s with {issued} tokens, none failed",
            answered(&issuer)? - calls
        ));
        kept(shop, true)?;
        branch.kubectl(&["delete", OBJECT])?;
        kept(shop, false)
    })
}

/// The endpoint's error is told, and calls are refused with it; the right
/// secret is used without a wait.
fn a_wrong_client_secret_is_told_and_a_right_one_is_used_at_once(shop: &Shop) -> Result<()> {
    shop.with_branch("tokens-refused", Environment::Development, |branch| {
        let issuer = open(branch, "wrong")?;
        // The Service is there a moment after the pod behind it is ready.
        let condition = until("the refusal to be told", PATIENCE, || {
            let condition = condition(branch, COLLECTION, "TokenReady").ok();
            Ok(condition.filter(|told| told["reason"] == "TokenRefused"))
        })?;
        let message = condition["message"].as_str().unwrap_or_default();
        ensure!(condition["status"] == "False", "{condition}");
        ensure!(message.contains("invalid_client"), "{condition}");
        let pod = pod(branch)?;
        expect(&branch.call(pod, "/machine/x")?, 503, "token-unavailable")?;
        ensure!(issuer.count("app", "refused")? == 1, "it was tried again");

        branch.write_secret(COLLECTION, "client-secret", shop.secret("client"))?;
        let begin = Instant::now();
        until("calls to be answered", PATIENCE, || {
            Ok((branch.call(pod, "/machine/x")?["status"] == 200).then_some(()))
        })?;
        note(format!(
            "answered {:.1} s after the right secret",
            begin.elapsed().as_secs_f64()
        ));
        branch.wait_for(OBJECT, "condition=Ready")?;
        unharmed(&issuer)
    })
}

/// All pods complain, the operator renews it once, and the calls that were
/// refused are made again.
fn a_token_that_the_api_takes_back_is_renewed_once_and_fails_no_call(shop: &Shop) -> Result<()> {
    shop.with_branch("tokens-revoked", Environment::Development, |branch| {
        let issuer = Issuer::start(
            branch,
            &json!({"app": {
                "secrets": [shop.secret("client")], "identity": "machine app",
                "lifetimeSeconds": 3600,
            }}),
        )?;
        collect(branch, &issuer, shop.secret("client"))?;
        branch.wait_for(OBJECT, "condition=Ready")?;
        let callers = Callers::of(branch, COLLECTION, PODS)?;
        ensure!(issuer.count("app", "issued")? == 1, "one token for all");
        let begin = Instant::now();
        issuer.tell("revoke")?;
        until("another token", PATIENCE, || {
            Ok((issuer.count("app", "issued")? > 1).then_some(()))
        })?;
        let calls = answered(&issuer)?;
        until("calls with it", PATIENCE, || {
            Ok((answered(&issuer)? > calls + 100).then_some(()))
        })?;
        callers.unfailed()?;
        let counters = issuer.counters()?;
        ensure!(counters["clients"]["app"]["issued"] == 2, "{counters}");
        ensure!(counters["unknown"] != 0, "it was not refused: {counters}");
        note(format!(
            "{} calls refused, none of them to an app; {} ms",
            counters["unknown"],
            begin.elapsed().as_millis()
        ));
        Ok(())
    })
}

/// Calls go on with the token until its end; from then on they are refused and
/// not sent; and when the endpoint is back, so are they.
fn an_outage_of_the_token_endpoint_is_felt_when_the_token_ends(shop: &Shop) -> Result<()> {
    shop.with_branch("tokens-outage", Environment::Development, |branch| {
        let issuer = open(branch, shop.secret("client"))?;
        let pod = pod(branch)?;
        branch.wait_for(OBJECT, "condition=Ready")?;
        issuer.tell("fail")?;
        let last = issuer.count("app", "issued")?;
        let begin = Instant::now();
        let refused = until("the token to end", PATIENCE, || {
            let answer = branch.call(pod, "/machine/x")?;
            Ok((answer["status"] != 200).then_some(answer))
        })?;
        let held = begin.elapsed();
        expect(&refused, 503, "token-unavailable")?;
        ensure!(refused["headers"]["retry-after"].is_string(), "{refused}");
        ensure!(issuer.count("app", "issued")? == last, "it gave a token");
        unharmed(&issuer)?;

        issuer.tell("answer")?;
        let (back, window) = (Instant::now(), Window::open()?);
        until("calls to be answered", PATIENCE, || {
            Ok((branch.call(pod, "/machine/x")?["status"] == 200).then_some(()))
        })?;
        let back = back.elapsed();
        // The first cool-down, and the second if the outage lasted that long.
        window.judge("calls are answered", back, Duration::from_secs(70))?;
        note(format!(
            "refused after {:.1} s of the outage, answered {:.1} s after its end",
            held.as_secs_f64(),
            back.as_secs_f64()
        ));
        unharmed(&issuer)
    })
}

/// Access tokens are found in the memory of the sidecar that uses them; the
/// client's secret, the refresh tokens and a secret access key are not.
fn no_sidecars_memory_holds_what_tokens_are_obtained_with(shop: &Shop) -> Result<()> {
    shop.with_branch("tokens-memory", Environment::Development, |branch| {
        let issuer = Issuer::start(
            branch,
            &json!({"user": {
                "secrets": [shop.secret("client")], "identity": "a person",
                "lifetimeSeconds": LIFETIME, "refreshToken": shop.secret("refresh"),
            }}),
        )?;
        let client = json!({"id": "user", "secret": "${secret.client-secret}"});
        let auth = json!({"oauth2RefreshToken": {"token": {"client": client}}});
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": COLLECTION},
            "stringData": {
                "client-secret": shop.secret("client"), "refresh-token": shop.secret("refresh"),
                "secret-access-key": shop.secret("client-next"),
            },
        });
        let mut signed = issuer.collection("signed", &json!({}));
        signed["spec"]["development"]["secretRef"]["name"] = json!(COLLECTION);
        signed["spec"]["auth"] = json!({"awsSigV4": {
            "region": "eu-central-1", "service": "s3",
            "accessKeyId": "AKIA", "secretAccessKey": "${secret.secret-access-key}",
        }});
        branch.apply(&[secret, issuer.collection(COLLECTION, &auth), signed])?;
        branch.wait_for(OBJECT, "condition=Ready")?;
        branch.wait_for("apicollection/signed", "condition=Ready")?;
        let pod = pod(branch)?;
        until("two renewals", PATIENCE, || {
            Ok((issuer.count("user", "rotations")? >= 3).then_some(()))
        })?;
        for path in ["/machine/x", "/signed/x"] {
            branch.call(pod, path)?;
        }
        let uid = branch.kubectl(&["get", "pod", pod, "-o", "jsonpath={.metadata.uid}"])?;
        let mut sidecars = cgroups::running("credence-sidecar")?;
        sidecars.retain(|sidecar| cgroups::is_of_pod(sidecar, &uid));
        let [sidecar] = sidecars.as_slice() else {
            bail!("{} sidecars", sidecars.len());
        };
        let issued = shop.secret("issued");
        let [access, refresh] = ["access", "refresh"].map(|kind| format!("{issued}-{kind}"));
        let secrets = [
            access.as_str(),
            &refresh,
            shop.secret("client"),
            shop.secret("refresh"),
            shop.secret("client-next"),
        ];
        let found = memory::holds(sidecar, &secrets)?;
        ensure!(
            found.contains(&access.as_str()),
            "the access token is not found"
        );
        ensure!(
            found.iter().all(|text| *text == access),
            "more than access tokens is found"
        );
        Ok(())
    })
}

/// An issuer, and a collection whose client shows it this secret.
pub(crate) fn open<'a>(branch: &'a Branch<'a>, secret: &str) -> Result<Issuer<'a>> {
    let shop = branch.shop();
    let issuer = Issuer::start(
        branch,
        &json!({"app": {
            "secrets": [shop.secret("client"), shop.secret("client-next")],
            "identity": "machine app", "lifetimeSeconds": LIFETIME,
        }}),
    )?;
    collect(branch, &issuer, secret)?;
    Ok(issuer)
}

/// A collection of the issuer's API whose client shows it this secret.
fn collect(branch: &Branch<'_>, issuer: &Issuer<'_>, secret: &str) -> Result<()> {
    let client = json!({"id": "app", "secret": "${secret.client-secret}"});
    branch.write_secret(COLLECTION, "client-secret", secret)?;
    let auth = json!({"oauth2ClientCredentials": {"token": {"client": client}}});
    branch.apply(&[issuer.collection(COLLECTION, &auth)])
}

pub(crate) fn pod(branch: &Branch<'_>) -> Result<&'static str> {
    branch.apply(&[json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": APP},
        "spec": restricted_pod(&["hold"]),
    })])?;
    branch.wait_for("pod/app", "condition=Ready")?;
    Ok(APP)
}

fn answered(issuer: &Issuer<'_>) -> Result<u64> {
    issuer.counters()?["answered"].as_u64().context("a number")
}

/// No token was used after its end, and none that was not given.
pub(crate) fn unharmed(issuer: &Issuer<'_>) -> Result<()> {
    let counters = issuer.counters()?;
    ensure!(
        counters["expired"] == 0 && counters["unknown"] == 0,
        "{counters}"
    );
    Ok(())
}

pub(crate) fn condition(branch: &Branch<'_>, name: &str, kind: &str) -> Result<Value> {
    let object = branch.json(&["get", "apicollection", name])?;
    let conditions = object["status"]["conditions"]
        .as_array()
        .context("conditions")?;
    let found = conditions
        .iter()
        .find(|condition| condition["type"] == kind);
    Ok(found.with_context(|| kind.to_owned())?.clone())
}

/// Waits until the operator keeps a token of the collection, or does not.
fn kept(shop: &Shop, wanted: bool) -> Result<()> {
    until("what is kept of the token", PATIENCE, || {
        let list = ["-n", SYSTEM, "get", "secrets", STATE];
        let list = shop.cluster().kubectl().json(&list)?;
        let secrets = list["items"].as_array().context("Secrets")?;
        let of = |secret: &&Value| secret.to_string().contains("\"tokens/machine\"");
        Ok((secrets.iter().any(|secret| of(&secret)) == wanted).then_some(()))
    })
}
