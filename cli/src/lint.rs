//! `credence lint`: everything that can be known about manifests without a
//! cluster.

mod neighbours;
mod report;

use std::io::Write;

use credence_core::Environment;
use credence_core::collection::{Collection, Scope};
use credence_core::names;
use credence_core::reason::Reason;
use credence_core::resolve::{Unresolved, Warning, needs, resolve};
use jiff::Timestamp;

use crate::args::{LintArgs, Output};
use crate::exit::Exit;
use crate::files;
use crate::inventory::{self, Inventory, material_namespace};
use crate::object::Object;
use crate::position::member;
use crate::problem::{self, Problem, Severity};
use crate::schema::{At, Schemas};
use report::Report;

/// Checks the files and prints what is wrong to `out`; for people also a
/// summary to `summary`.
///
/// # Errors
/// When a path cannot be read, or the output not be written.
pub(crate) fn run(
    args: &LintArgs,
    out: &mut impl Write,
    summary: &mut impl Write,
) -> anyhow::Result<Exit> {
    let files = files::read(&args.paths)?;
    let (mut inventory, mut problems) = inventory::read(&files, &Schemas::load());
    // Several namespaces are no error here: what names none stays on its own.
    if let Ok(namespace) = inventory.only_namespace() {
        inventory.put_into(&namespace);
    }
    problems.extend(inventory.duplicates());
    problems.extend(check(&inventory, Timestamp::now()));
    problems.extend(neighbours::check(&inventory));
    problem::sort(&mut problems);
    let report = Report {
        files: files.len(),
        collections: inventory.collections().count(),
        ignored: &inventory.ignored,
        problems: &problems,
    };
    match args.output {
        Output::Text => report.text(out, summary)?,
        Output::Json => report.json(out)?,
    }
    Ok(match problem::any_error(&problems) {
        true => Exit::Failed,
        false => Exit::Success,
    })
}

/// What each collection lacks in each of the two environments, and labels that
/// do not mean what they seem to.
fn check(inventory: &Inventory, now: Timestamp) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (object, collection) in inventory.collections() {
        for (namespace, environment) in places(inventory, object, collection) {
            let needs = needs(collection, environment);
            let mut material = inventory.gather(namespace.as_deref(), &needs);
            // What is checked is for a cluster.
            material.accounts_in = Some(namespace.unwrap_or_default());
            match resolve(collection, environment, &material, now) {
                Ok(resolved) => problems.extend(resolved.warnings.into_iter().map(|warning| {
                    let Warning { field, message, .. } = warning;
                    let origin = &object.origin;
                    origin.problem(Severity::Warning, &field, At::Value, message)
                })),
                Err(unresolved) => {
                    problems.push(unmet(object, collection, environment, unresolved));
                }
            }
        }
    }
    for (object, labels) in inventory.namespaces() {
        let label = labels.get(names::ENVIRONMENT);
        if let Some(Err(unknown)) = label.map(|label| label.parse::<Environment>()) {
            let field = member("metadata.labels", names::ENVIRONMENT);
            let message = format!("{unknown}; anything else counts as development");
            problems.push(
                object
                    .origin
                    .problem(Severity::Warning, &field, At::Value, message),
            );
        }
    }
    problems
}

/// Where a collection will be used. One that names no namespace, beside others
/// that name several, is meant for each of them; then their labels say for
/// which environment.
fn places(
    inventory: &Inventory,
    object: &Object,
    collection: &Collection,
) -> Vec<(Option<String>, Environment)> {
    let both = [Environment::Development, Environment::Live];
    if let Some(home) = material_namespace(collection, object.namespace.as_deref()) {
        return both
            .map(|environment| (Some(home.to_owned()), environment))
            .into();
    }
    let mut places = Vec::new();
    for home in inventory.homes() {
        match inventory.environment(&home) {
            Some(environment) => places.push((Some(home), environment)),
            None => places.extend(both.map(|environment| (Some(home.clone()), environment))),
        }
    }
    places
}

fn unmet(
    object: &Object,
    collection: &Collection,
    environment: Environment,
    unresolved: Unresolved,
) -> Problem {
    let Unresolved {
        reason,
        field,
        message,
        ..
    } = unresolved;
    let block = match environment {
        Environment::Development => &collection.development,
        Environment::Live => &collection.live,
    };
    let settings = collection.selected(environment).settings;
    let (severity, message) = match reason {
        Reason::SecretNotFound | Reason::ConfigMapNotFound => {
            let named_by_trust = field.ends_with("caRef.name");
            let trust = settings.trust.as_ref().filter(|_| named_by_trust);
            let kind = trust.map_or("Secret", |trust| trust.kind.as_str());
            let name = trust.map(|trust| trust.name.as_str());
            let secret = match field.ends_with("tlsSecretRef.name") {
                true => settings.tls_secret.as_deref(),
                false => settings.secret.as_deref(),
            };
            let name = name.or(secret).unwrap_or_default();
            let place = match collection.scope {
                Scope::Namespace { .. } => String::new(),
                Scope::Cluster { .. } => {
                    format!(" in namespace \"{}\"", names::CLUSTER_CREDENTIALS_NAMESPACE)
                }
            };
            let message = format!(
                "{kind} \"{name}\" is not in these files{place}: calls fail until it exists"
            );
            (Severity::Warning, message)
        }
        // Meant for one environment only, it seems: nothing is said of the other.
        _ if block.is_none() => (Severity::Warning, message),
        _ => (Severity::Error, message),
    };
    object.origin.problem(severity, &field, At::Value, message)
}
