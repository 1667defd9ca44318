//! What the status says, and when it stops saying it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use credence_tests::shop::{DEVELOPMENT, PATIENCE, SYSTEM, Shop};
use credence_tests::stolen::Window;
use credence_tests::wait::until;
use serde_json::{Value, json};

use crate::case::Case;
use crate::runner::note;

pub(crate) const CASES: &[Case] = &[
    Case::alone(
        "a missing Secret is an Event and so is its return",
        a_missing_secret_is_an_event_and_so_is_its_return,
    ),
    Case::alone(
        "a refused key is a condition until it is replaced",
        a_refused_key_is_a_condition_until_it_is_replaced,
    ),
    Case::alone(
        "another method is an edit of the collection",
        another_method_is_an_edit_of_the_collection,
    ),
    Case::alone(
        "three replicas count every sidecar once",
        three_replicas_count_every_sidecar_once,
    ),
];

/// Within this the status must be right again after a replica is gone.
const RIGHT_AGAIN: Duration = Duration::from_secs(20);

/// Three replicas count the sidecars that each of them serves, and the leader
/// sums them up; one is killed, and the sum is right again.
fn three_replicas_count_every_sidecar_once(shop: &Shop) -> Result<()> {
    scale(shop, 3)?;
    let wanted = sidecars(shop)?;
    until("three replicas to count every sidecar", PATIENCE, || {
        counted(shop, wanted)
    })?;
    let feeds = feeds(shop)?;
    let victim = feeds
        .iter()
        .max_by_key(|feed| feed["connected"].as_i64())
        .and_then(|feed| feed["replica"].as_str())
        .context("no replica serves anybody")?;
    note(format!("{wanted} sidecars: {}", json!(feeds)));
    let kubectl = shop.cluster().kubectl();
    let delete = ["-n", SYSTEM, "delete", "pod", victim];
    kubectl.run(&[&delete[..], &["--grace-period=0", "--force"]].concat())?;
    let (begin, window) = (Instant::now(), Window::open()?);
    until("the sum without the killed replica", PATIENCE, || {
        let gone = replicas(shop)?.iter().all(|replica| replica != victim);
        Ok(if gone { counted(shop, wanted)? } else { None })
    })?;
    let took = begin.elapsed();
    note(format!("right again after {:.1} s", took.as_secs_f64()));
    window.judge("the sum is right", took, RIGHT_AGAIN)?;
    scale(shop, 2)?;
    until("two replicas to count every sidecar", PATIENCE, || {
        counted(shop, wanted)
    })
}

/// A key that the provider refuses is a condition with its cause and an Event,
/// until the Secret holds another one (requirement 68).
fn a_refused_key_is_a_condition_until_it_is_replaced(shop: &Shop) -> Result<()> {
    let write = |key: &str| shop.write_secret(DEVELOPMENT, "payments-dev", "api-key", key);
    write("not-a-key-of-anybody")?;
    until("the provider to refuse the key", PATIENCE, || {
        let answer = shop.call(DEVELOPMENT, "/payments/x")?;
        Ok((answer["status"] == 401).then_some(()))
    })?;
    let begin = Instant::now();
    let rejected = until("the condition CredentialRejected", PATIENCE, || {
        condition(shop, "payments", "CredentialRejected")
    })?;
    note(format!("said after {:.1} s", begin.elapsed().as_secs_f64()));
    ensure!(rejected["status"] == "True", "{rejected}");
    ensure!(rejected["reason"] == "NeverAccepted", "{rejected}");
    let message = rejected["message"].as_str().unwrap_or_default();
    for word in ["401", "Secret \"payments-dev\"", "mistyped", "spec.auth"] {
        ensure!(message.contains(word), "no {word} in {message}");
    }
    ensure!(!message.contains("not-a-key"), "{message}");
    until_event(shop, (DEVELOPMENT, "payments"), "Warning", "NeverAccepted")?;
    let ready = condition(shop, "payments", "Ready")?.context("Ready")?;
    ensure!(ready["status"] == "True", "{ready}");

    write(shop.key("payments-dev"))?;
    let (begin, window) = (Instant::now(), Window::open()?);
    until("the right key", PATIENCE, || {
        let answer = shop.call(DEVELOPMENT, "/payments/x")?;
        Ok((answer["status"] == 200).then_some(()))
    })?;
    until("the condition to go", PATIENCE, || {
        let rejected = condition(shop, "payments", "CredentialRejected")?;
        Ok(rejected.is_none().then_some(()))
    })?;
    note(format!("gone after {:.1} s", begin.elapsed().as_secs_f64()));
    window.judge("the condition is gone", begin.elapsed(), RIGHT_AGAIN)?;
    until_event(
        shop,
        (DEVELOPMENT, "payments"),
        "Normal",
        "NoLongerRejected",
    )
}

/// A Secret that is deleted is named by the condition and by an Event, and so
/// is its return.
fn a_missing_secret_is_an_event_and_so_is_its_return(shop: &Shop) -> Result<()> {
    let kubectl = shop.cluster().kubectl();
    kubectl.run(&["-n", DEVELOPMENT, "delete", "secret", "weather-dev"])?;
    shop.wait_for(
        DEVELOPMENT,
        "apicollection/weather",
        "condition=Ready=false",
    )?;
    let resolved = condition(shop, "weather", "CredentialsResolved")?.context("the condition")?;
    let message = resolved["message"].as_str().unwrap_or_default();
    ensure!(message.contains("\"weather-dev\""), "{message}");
    until_event(shop, (DEVELOPMENT, "weather"), "Warning", "SecretNotFound")?;
    shop.write_secret(
        DEVELOPMENT,
        "weather-dev",
        "api-key",
        shop.key("weather-dev"),
    )?;
    shop.wait_for(DEVELOPMENT, "apicollection/weather", "condition=Ready")?;
    until_event(shop, (DEVELOPMENT, "weather"), "Normal", "Ready")
}

/// A provider that wants its key in another way takes an edit of the
/// collection, and of nothing else (requirement 69).
fn another_method_is_an_edit_of_the_collection(shop: &Shop) -> Result<()> {
    let kubectl = shop.cluster().kubectl();
    let collection = ["-n", DEVELOPMENT, "get", "apicollection", "reports"];
    let before = kubectl.json(&collection)?;
    let app = shop.app(DEVELOPMENT)?;
    let edit = json!([
        {"op": "remove", "path": "/spec/headers"},
        {"op": "add", "path": "/spec/auth", "value": {"apiKey": {
            "in": "Header", "name": "Authorization", "value": "Bearer ${secret.api-key}",
        }}},
    ]);
    patch(shop, &edit)?;
    until("the key in the other header", PATIENCE, || {
        let answer = shop.call(DEVELOPMENT, "/reports/x")?;
        let body = answer["body"].as_str().unwrap_or_default();
        let body: Value = serde_json::from_str(body).unwrap_or_default();
        let headers = body["headers"].as_array().cloned().unwrap_or_default();
        let shown = |name: &str| headers.iter().any(|header| header == name);
        Ok((shown("authorization") && !shown("x-api-key")).then_some(()))
    })?;
    ensure!(shop.identity(DEVELOPMENT, "/reports/x")? == "reports dev");
    ensure!(shop.app(DEVELOPMENT)? == app, "the pod was replaced");
    // Whoever serves the sidecar need not be who writes the status.
    until("the status to tell the method", PATIENCE, || {
        let after = kubectl.json(&collection)?;
        Ok((after["status"]["method"] == "apiKey").then_some(()))
    })?;
    let back = json!([
        {"op": "remove", "path": "/spec/auth"},
        {"op": "add", "path": "/spec/headers", "value": before["spec"]["headers"]},
    ]);
    patch(shop, &back)?;
    shop.wait_for(DEVELOPMENT, "apicollection/reports", "condition=Ready")
}

fn patch(shop: &Shop, operations: &Value) -> Result<()> {
    let operations = operations.to_string();
    let what = ["-n", DEVELOPMENT, "patch", "apicollection", "reports"];
    let how = ["--type=json", "-p", &operations];
    shop.cluster().kubectl().run(&[&what[..], &how].concat())?;
    Ok(())
}

pub(crate) fn scale(shop: &Shop, replicas: u32) -> Result<()> {
    let kubectl = shop.cluster().kubectl();
    let operator = "deployment/credence-operator";
    kubectl.run(&[
        "-n",
        SYSTEM,
        "scale",
        operator,
        &format!("--replicas={replicas}"),
    ])?;
    let replicas = format!("jsonpath={{.status.readyReplicas}}={replicas}");
    shop.wait_for(SYSTEM, operator, &replicas)
}

/// The pods of the development namespace that may use the first collection.
fn sidecars(shop: &Shop) -> Result<i64> {
    let pods = shop.cluster().kubectl().json(&[
        "-n",
        DEVELOPMENT,
        "get",
        "pods",
        "-l",
        "credence.dev/injected",
        "--field-selector=status.phase=Running",
    ])?;
    let pods = pods["items"].as_array().context("a list of pods")?;
    let running = pods
        .iter()
        .filter(|pod| pod["metadata"]["deletionTimestamp"].is_null());
    Ok(i64::try_from(running.count())?)
}

fn feeds(shop: &Shop) -> Result<Vec<Value>> {
    let object = object(shop, "payments")?;
    Ok(object["status"]["feeds"]
        .as_array()
        .cloned()
        .unwrap_or_default())
}

fn replicas(shop: &Shop) -> Result<BTreeSet<String>> {
    let feeds = feeds(shop)?.into_iter();
    Ok(feeds
        .filter_map(|feed| feed["replica"].as_str().map(str::to_owned))
        .collect())
}

/// Whether the entries of the replicas, their sum and the condition say that
/// so many sidecars are connected and up to date.
fn counted(shop: &Shop, wanted: i64) -> Result<Option<()>> {
    let object = object(shop, "payments")?;
    let status = &object["status"];
    let feeds = status["feeds"].as_array().cloned().unwrap_or_default();
    let sum = |field: &str| -> i64 { feeds.iter().filter_map(|feed| feed[field].as_i64()).sum() };
    let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
    let programmed = conditions
        .iter()
        .any(|condition| condition["type"] == "Programmed" && condition["status"] == "True");
    let right = sum("connected") == wanted
        && sum("current") == wanted
        && status["sidecars"]["connected"] == wanted
        && status["sidecars"]["summary"] == format!("{wanted}/{wanted}")
        && programmed;
    Ok(right.then_some(()))
}

fn object(shop: &Shop, collection: &str) -> Result<Value> {
    let kubectl = shop.cluster().kubectl();
    kubectl.json(&["-n", DEVELOPMENT, "get", "apicollection", collection])
}

fn condition(shop: &Shop, collection: &str, type_: &str) -> Result<Option<Value>> {
    let object = object(shop, collection)?;
    let conditions = object["status"]["conditions"].as_array();
    let mut conditions = conditions.into_iter().flatten();
    Ok(conditions
        .find(|condition| condition["type"] == type_)
        .cloned())
}

/// Waits for an Event about a collection.
pub(crate) fn until_event(
    shop: &Shop,
    (namespace, collection): (&str, &str),
    severity: &str,
    reason: &str,
) -> Result<()> {
    let kubectl = shop.cluster().kubectl();
    until(&format!("the Event {reason}"), PATIENCE, || {
        let events = kubectl.json(&["-n", namespace, "get", "events"])?;
        let events = events["items"].as_array().context("a list of Events")?;
        let found = events.iter().any(|event| {
            event["involvedObject"]["kind"] == "ApiCollection"
                && event["involvedObject"]["name"] == collection
                && event["type"] == severity
                && event["reason"] == reason
        });
        Ok(found.then_some(()))
    })
}
