//! The page.

use std::fmt::Write as _;

use clap::{Command, CommandFactory as _};
use credence_cli::args::CommandLine;
use credence_core::metric::Metric;
use credence_core::names::{OPERATOR_ADMIN_PORT, SIDECAR_ADMIN_PORT};
use credence_operator::settings::Settings;
use credence_sidecar::Slug;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

use crate::fields::{Field, fields, spec_rules};
use crate::flags::flags;
use crate::source::{Documented, constants, variants};
use crate::values::values;

const NAMES: &str = "core/src/names.rs";

pub(crate) fn page() -> String {
    let mut page = Page::default();
    page.text(
        "<!-- Generated from the code by `make generate`. -->\n\
         # Reference\n\n\
         Everything that has a name. The [guide](guide.md) leads through it, [methods](methods.md) explains how an API is \
         described, [operations](operations.md) what happens when something fails, and [security](security.md) who has \
         to be trusted.\n\n\
         [ApiCollection](#apicollection) · [ClusterApiCollection](#clusterapicollection) · [Status](#status) · \
         [Conditions](#conditions-and-reasons) · [Labels and annotations](#labels-and-annotations) · \
         [Errors](#errors) · [Metrics](#metrics) · [Ports and paths](#ports-paths-and-other-names) · [Commands](#commands) · \
         [Chart](#values-of-the-chart)",
    );
    kinds(&mut page);
    conditions(&mut page);
    names(&mut page);
    errors(&mut page);
    metrics(&mut page);
    commands(&mut page);
    page.text("## Values of the chart\n\nAnything else is refused. [The chart](../charts/credence) says more about some.");
    page.table(["value", "default", "what it does"], values());
    page.0
}

#[derive(Default)]
struct Page(String);

impl Page {
    fn text(&mut self, text: &str) {
        if !self.0.is_empty() {
            self.0.push('\n');
        }
        self.0.push_str(text);
        self.0.push('\n');
    }

    fn table<const N: usize>(&mut self, head: [&str; N], rows: Vec<[String; N]>) {
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let mut text = line(&head.map(str::to_owned));
        text.push_str(&line(&head.map(|_| "---".to_owned())));
        for row in rows {
            text.push_str(&line(&row.map(|cell| escaped(&cell))));
        }
        self.text(text.trim_end());
    }
}

/// A cell of a table: no bar, no line end, and nothing that looks like a tag.
fn escaped(cell: &str) -> String {
    cell.replace('|', "\\|")
        .replace('\n', " ")
        .replace('<', "&lt;")
}

fn kinds(page: &mut Page) {
    let (own, of_cluster) = (
        credence_crds::definition(),
        credence_crds::cluster_definition(),
    );
    page.text(&format!("## ApiCollection\n\n{}", about(&own)));
    let own_fields = fields(&own, "spec");
    page.table(FIELD_HEAD, rows(&own_fields));
    rules(page, &spec_rules(&own));

    page.text(&format!(
        "## ClusterApiCollection\n\n{}\n\nIts fields are those of an ApiCollection, but for these:",
        about(&of_cluster)
    ));
    let differing: Vec<Field> = fields(&of_cluster, "spec")
        .into_iter()
        .filter(|field| !own_fields.contains(field))
        .collect();
    page.table(FIELD_HEAD, rows(&differing));
    let own_rules = spec_rules(&own);
    let further: Vec<String> = spec_rules(&of_cluster)
        .into_iter()
        .filter(|rule| !own_rules.contains(rule))
        .collect();
    rules(page, &further);

    page.text("## Status\n\nWritten by the operator. Never a value of a Secret, and never a digest of one.");
    page.table(FIELD_HEAD, rows(&fields(&own, "status")));
}

const FIELD_HEAD: [&str; 4] = ["field", "type", "default", "description"];

fn about(definition: &CustomResourceDefinition) -> String {
    let names = &definition.spec.names;
    let version = &definition.spec.versions[0];
    let schema = version
        .schema
        .as_ref()
        .and_then(|schema| schema.open_api_v3_schema.as_ref());
    let said = schema
        .and_then(|schema| schema.description.as_deref())
        .unwrap_or_default();
    let short = names
        .short_names
        .as_deref()
        .unwrap_or_default()
        .join("`, `");
    format!(
        "{said}\n\n`apiVersion: {}/{}`, `kind: {}`; for kubectl `{}` or `{short}`.",
        definition.spec.group, version.name, names.kind, names.plural
    )
}

fn rows(fields: &[Field]) -> Vec<[String; 4]> {
    let row = |field: &Field| {
        let mut description = field.description.clone();
        for rule in &field.rules {
            let _ = write!(description, " *Refused:* {rule}.");
        }
        [
            format!("`{}`", field.path),
            field.form.clone(),
            field.default.clone(),
            description,
        ]
    };
    fields.iter().map(row).collect()
}

fn rules(page: &mut Page, rules: &[String]) {
    if rules.is_empty() {
        return;
    }
    let list: Vec<String> = rules
        .iter()
        .map(|rule| format!("- {}", escaped(rule)))
        .collect();
    page.text(&format!(
        "The API server refuses what these say, besides:\n\n{}",
        list.join("\n")
    ));
}

fn conditions(page: &mut Page) {
    let named = constants("crds/src/condition.rs");
    // The file's first constants are types; those of its module are reasons.
    let (types, reasons): (Vec<Documented>, Vec<Documented>) =
        named.into_iter().partition(|one| is_type(&one.comment));
    page.text("## Conditions and reasons\n\nConditions of a collection. Each carries the generation that it is about, a reason and a \
               message that says what to do. `kubectl wait --for=condition=Ready` is what to wait for.");
    let cell = |one: &Documented| [format!("`{}`", one.value), one.comment.clone()];
    page.table(
        ["condition", "what it means when true"],
        types.iter().map(cell).collect(),
    );
    page.table(
        ["reason", "of which condition, and when"],
        reasons.iter().map(cell).collect(),
    );
    page.text("Reasons of `CredentialsResolved=False`, and what a call is then answered:");
    let unresolved = variants("core/src/reason.rs");
    let row = |one: &Documented| {
        let reason = credence_core::reason::Reason::ALL
            .into_iter()
            .find(|reason| reason.as_str() == one.name);
        let slug = reason
            .map(|reason| Slug::from(reason.unavailable()).as_str())
            .unwrap_or_default();
        [
            format!("`{}`", one.name),
            format!("`{slug}`"),
            one.comment.clone(),
        ]
    };
    page.table(
        ["reason", "calls are answered", "when"],
        unresolved.iter().map(row).collect(),
    );
}

/// What is said of a reason begins with its condition.
fn is_type(comment: &str) -> bool {
    !comment.starts_with('`') && !comment.starts_with("Of ")
}

fn names(page: &mut Page) {
    let (ours, others): (Vec<Documented>, Vec<Documented>) = constants(NAMES)
        .into_iter()
        .partition(|one| one.value.starts_with("credence.dev/"));
    page.text("## Labels and annotations");
    let cell = |one: &Documented| [format!("`{}`", one.value), one.comment.clone()];
    page.table(
        ["name", "on what, and what it does"],
        ours.iter().map(cell).collect(),
    );
    page.text(
        "A label of the namespace and one of the pod decide about a sidecar:\n\n\
         | namespace | pod `credence.dev/inject: \"true\"` | `\"false\"` | without it, or anything else |\n\
         | --- | --- | --- | --- |\n\
         | `credence.dev/inject: enabled` | injected | left alone | injected |\n\
         | without it, or anything else | injected | left alone | left alone |\n\
         | `kube-system`, `kube-public`, `kube-node-lease`, the operator's own | left alone | left alone | left alone |",
    );
    page.text("## Ports, paths and other names");
    page.table(["name", "what it is"], others.iter().map(cell).collect());
    page.text(
        "A container gets `CREDENCE_URL`, and for each collection that the annotation `credence.dev/collections` names \
         its base URL, such as `OPENAI_BASE_URL=http://localhost:2733/openai`: upper case, `_` for `-`, and `_` before a digit \
         at the beginning. What a container sets itself stays.",
    );
}

fn errors(page: &mut Page) {
    page.text(
        "## Errors\n\nAn answer that the sidecar made itself has the header `Credence-Error` with one of these, and a body \
         of type `application/problem+json` (RFC 9457) whose `detail` says more. An answer without the header is the provider's.",
    );
    let row = |slug: Slug| {
        [
            format!("`{}`", slug.as_str()),
            slug.code().to_string(),
            slug.title().to_owned(),
            slug.advice().to_owned(),
        ]
    };
    page.table(
        ["error", "status", "what it says", "what to do"],
        Slug::ALL.map(row).into(),
    );
}

fn metrics(page: &mut Page) {
    page.text("## Metrics\n\nIn the text format of Prometheus, at `/metrics`.");
    for (program, port, metrics) in [
        (
            "the sidecar",
            SIDECAR_ADMIN_PORT,
            credence_sidecar::metrics::METRICS.as_slice(),
        ),
        (
            "the operator",
            OPERATOR_ADMIN_PORT,
            credence_operator::metrics::METRICS.as_slice(),
        ),
    ] {
        page.text(&format!("Of {program}, port {port}:"));
        let row = |metric: &Metric| {
            let labels = metric.labels.iter().map(|label| format!("`{label}`"));
            [
                format!("`{}`", metric.name),
                metric.kind.as_str().to_owned(),
                labels.collect::<Vec<_>>().join(", "),
                metric.help.to_owned(),
            ]
        };
        page.table(
            ["metric", "kind", "labels", "what it is"],
            metrics.iter().map(row).collect(),
        );
    }
}

fn commands(page: &mut Page) {
    page.text("## Commands\n\nAs a plugin of kubectl, under the name `kubectl-credence`, `credence check` is `kubectl credence check`.");
    let mut command = CommandLine::command();
    command.build();
    for sub in command
        .get_subcommands()
        .filter(|sub| sub.get_name() != "help")
    {
        described(page, "credence ", sub);
    }
    let operator = Settings::command();
    page.text("### credence-operator\n\nWhat the chart starts; it fills these in.");
    page.table(["flag", "default", "what it does"], flags(&operator));
}

fn described(page: &mut Page, before: &str, command: &Command) {
    let about = command
        .get_long_about()
        .or_else(|| command.get_about())
        .map(ToString::to_string);
    let about = about.unwrap_or_default().replace('\n', " ");
    page.text(&format!(
        "### {before}{}\n\n{}.",
        command.get_name(),
        about.trim_end_matches('.')
    ));
    let rows = flags(command);
    if !rows.is_empty() {
        page.table(["flag", "default", "what it does"], rows);
    }
}
