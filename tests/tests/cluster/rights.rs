//! What the operator may do, and that it asks for no more.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use credence_tests::kubectl::Kubectl;
use credence_tests::rights::{Grant, roles};
use credence_tests::shop::{DEVELOPMENT, LIVE, SYSTEM, Shop};
use serde_json::{Value, json};

use crate::audit;
use crate::case::Case;
use crate::outage::was_unready;
use crate::runner::note;

pub(crate) const CASES: &[Case] = &[
    Case::parallel(
        "the operator may do what the table says and nothing else",
        the_operator_may_do_what_the_table_says_and_nothing_else,
    ),
    Case::last(
        "nothing that the operator asks for is forbidden",
        nothing_that_the_operator_asks_for_is_forbidden,
    )
    .here(audit::ELSEWHERE),
];

/// Group, resource, name (empty for all) and verb.
type Right = [String; 4];

fn operator() -> String {
    format!("system:serviceaccount:{SYSTEM}:credence-operator")
}

/// By the API server's own account, in a namespace with credentials, in the
/// operator's own and in one that nobody mentioned.
fn the_operator_may_do_what_the_table_says_and_nothing_else(shop: &Shop) -> Result<()> {
    let kubectl = shop.cluster().kubectl();
    let cluster = granted("ClusterRole", "credence-operator")?;
    let credentials = granted("ClusterRole", "credence-credentials")?;
    let own = granted("Role", "credence-operator")?;
    for (namespace, more) in [
        ("default", &BTreeSet::new()),
        (LIVE, &credentials),
        (SYSTEM, &own),
    ] {
        // What everybody may do, such as asking what he may do.
        let everybody = allowed(kubectl, "system:serviceaccount:default:nobody", namespace)?;
        let all = allowed(kubectl, &operator(), namespace)?;
        let rights: BTreeSet<&Right> = all.difference(&everybody).collect();
        let wanted: BTreeSet<&Right> = cluster.union(more).collect();
        ensure!(
            rights == wanted,
            "in {namespace}: beyond the table {:?}, short of it {:?}",
            rights.difference(&wanted),
            wanted.difference(&rights)
        );
    }
    Ok(())
}

/// The audit log holds every answer: none to the operator is 403, but where it
/// tries whether a namespace has been opened to it, where a namespace is
/// ending, in which nobody may create anything, and of an API server that is
/// not ready.
fn nothing_that_the_operator_asks_for_is_forbidden(shop: &Shop) -> Result<()> {
    let account = operator();
    let asked = audit::requests(shop, |request| {
        request["user"]["username"] == account.as_str()
    })?;
    let mut tried = BTreeMap::<&str, usize>::new();
    let mut forbidden = BTreeMap::<String, usize>::new();
    for request in &asked {
        let answer = &request["responseStatus"];
        if answer["code"] != 403
            || answer["details"]["causes"][0]["reason"] == "NamespaceTerminating"
            || was_unready(audit::begun(request)?)
        {
            continue;
        }
        let object = &request["objectRef"];
        let [verb, resource, namespace] =
            [&request["verb"], &object["resource"], &object["namespace"]]
                .map(|text| text.as_str().unwrap_or_default());
        let material = ["secrets", "configmaps"].contains(&resource)
            && ["get", "list", "watch"].contains(&verb);
        if material && ![SYSTEM, DEVELOPMENT, LIVE].contains(&namespace) {
            *tried.entry(namespace).or_default() += 1;
        } else {
            let what = format!("{verb} {resource} in {namespace:?}");
            *forbidden.entry(what).or_default() += 1;
        }
    }
    ensure!(forbidden.is_empty(), "answered 403: {forbidden:#?}");
    ensure!(
        asked.len() > 100,
        "hardly anything was asked: {}",
        asked.len()
    );
    let asked = asked.len();
    note(format!(
        "{asked} requests, none forbidden; tried in vain: {tried:?}"
    ));
    Ok(())
}

fn granted(kind: &str, name: &str) -> Result<BTreeSet<Right>> {
    let mut roles = roles()?.into_iter();
    let role = roles.find(|role| role.kind == kind && role.name == name);
    let rules = role.with_context(|| format!("no {kind} {name}"))?.rules;
    Ok(rules.iter().flat_map(|rule| each(&rule.grant)).collect())
}

/// A SelfSubjectRulesReview in somebody's name.
fn allowed(kubectl: &Kubectl, user: &str, namespace: &str) -> Result<BTreeSet<Right>> {
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    });
    let path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews";
    let output = kubectl.output_with_input(
        &["--as", user, "create", "--raw", path, "-f", "-"],
        &review.to_string(),
    )?;
    let answer: Value = serde_json::from_slice(&output.stdout)
        .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
    let rules = answer["status"]["resourceRules"].as_array();
    let mut rights = BTreeSet::new();
    for rule in rules.context("rules")? {
        let list = |name: &str| -> Vec<String> {
            let texts = rule[name].as_array().into_iter().flatten();
            texts.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        rights.extend(each(&Grant {
            api_groups: list("apiGroups"),
            resources: list("resources"),
            resource_names: list("resourceNames"),
            verbs: list("verbs"),
        }));
    }
    Ok(rights)
}

fn each(grant: &Grant) -> Vec<Right> {
    let mut names = grant.resource_names.clone();
    if names.is_empty() {
        names.push(String::new());
    }
    let mut rights = Vec::new();
    for group in &grant.api_groups {
        for resource in &grant.resources {
            for name in &names {
                for verb in &grant.verbs {
                    rights.push([group, resource, name, verb].map(Clone::clone));
                }
            }
        }
    }
    rights
}
