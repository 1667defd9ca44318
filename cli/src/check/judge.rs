//! What the facts mean. Nothing here asks anything.

mod api;
mod collections;
mod injector;
mod operator;
mod pods;
mod policies;
mod promotion;

use credence_core::Environment;
use credence_core::names::{ENVIRONMENT, INJECT};
use k8s_openapi::api::core::v1::Namespace;
use kube::ResourceExt as _;

use super::facts::{Facts, Places};
use super::finding::{Finding, Section};

/// Namespaces that the injector is never asked about, besides the operator's.
const EXEMPT: [&str; 3] = ["kube-system", "kube-public", "kube-node-lease"];

/// Everything that can be said, in the order in which one thing needs another.
pub(super) fn judge(facts: &Facts) -> Vec<Section> {
    let section = |title, findings| Section { title, findings };
    let mut sections = vec![section("Kubernetes API", api::judge(facts))];
    let Some(found) = &facts.installation else {
        return sections;
    };
    let places = &facts.places;
    sections.extend([
        section("Definitions", api::definitions(found)),
        section("Operator", operator::judge(facts, found)),
        section("Injector", injector::judge(places, found)),
        section("Policies", policies::judge(found)),
        section("Who may make a namespace live", promotion::judge(found)),
        section("Collections", collections::judge(places, found)),
        section("Pods", pods::judge(places, found)),
    ]);
    sections
}

/// Whether the label of a namespace gives its pods a sidecar.
pub(super) fn opts_in(namespace: &Namespace) -> bool {
    let label = namespace.labels().get(INJECT);
    label.is_some_and(|label| label == "enabled")
}

/// Whether the injector leaves a namespace alone, whatever its labels are.
pub(super) fn is_exempt(namespace: &str, places: &Places) -> bool {
    namespace == places.operator || EXEMPT.contains(&namespace)
}

/// Of a namespace's pods.
pub(super) fn environment(namespace: &Namespace) -> Environment {
    let label = namespace.labels().get(ENVIRONMENT);
    let label = label.and_then(|label| label.parse().ok());
    label.unwrap_or(Environment::Development)
}

/// What could not be asked, and how to be allowed to.
fn unknown(check: &'static str, what: &str, why: &str, places: &Places) -> Finding {
    let mut finding = Finding::unknown(check, what, why);
    if places.only.is_none() {
        "ask somebody with more rights to run this, or look at one namespace with --namespace"
            .clone_into(&mut finding.hint);
    }
    finding
}

#[cfg(test)]
mod tests;
