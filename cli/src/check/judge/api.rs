//! The API server, and what it knows of our kinds.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::ResourceExt as _;

use crate::check::cluster::Look;
use crate::check::facts::{Facts, Installation};
use crate::check::finding::Finding;

/// Native sidecars and the match conditions of the chart's policies need it.
const FLOOR: (u32, u32) = (1, 33);
/// Seconds by which clocks may differ; tokens are good for some minutes and
/// certificates are made valid from some before.
const SKEW: i64 = 30;

pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    let version = match &facts.version {
        Look::Seen(version) => version,
        Look::Absent => {
            return vec![Finding::failure(
                "api-server",
                format!("what answers at {} is no Kubernetes", facts.url),
                "kubectl config view --minify shows the cluster that is asked; --context chooses another",
            )];
        }
        Look::Unknown(why) => {
            return vec![Finding::failure(
                "api-server",
                format!("the API server at {} does not answer: {why}", facts.url),
                "kubectl config view --minify shows the cluster that is asked; --context chooses another",
            )];
        }
    };
    let name = &version.name;
    let answers = format!("the API server at {} answers, {name}", facts.url);
    let floor = match version.number {
        Some(number) if number < FLOOR => Finding::failure(
            "kubernetes-version",
            format!("{answers}: that is too old"),
            format!("Kubernetes {}.{} or later is needed", FLOOR.0, FLOOR.1),
        ),
        Some(_) => Finding::fine("kubernetes-version", answers),
        None => Finding::unknown("kubernetes-version", "its number", name),
    };
    vec![floor, clock(version.ahead)]
}

fn clock(ahead: Option<i64>) -> Finding {
    let Some(ahead) = ahead else {
        return Finding::unknown("clock", "its time", "the answer has no Date");
    };
    if ahead.abs() <= SKEW {
        return Finding::fine("clock", "its clock and this machine's agree");
    }
    let (seconds, which) = (ahead.abs(), if ahead > 0 { "ahead of" } else { "behind" });
    Finding::warning(
        "clock",
        format!("its clock is {seconds} seconds {which} this machine's"),
        "set both by NTP: tokens and certificates are judged by clocks, and so is what follows",
    )
}

pub(super) fn definitions(found: &Installation) -> Vec<Finding> {
    let judged = found.definitions.iter().map(|(known, seen)| {
        let name = known.name_any();
        let apply = format!(
            "kubectl apply --server-side -f crds/yaml/{}.yaml, or helm upgrade with crds.enabled=true",
            known.spec.names.plural
        );
        match seen {
            Look::Seen(seen) => installed(known, seen, &apply),
            Look::Absent => Finding::failure(
                "definition",
                format!("the definition {name} is not installed"),
                apply,
            ),
            Look::Unknown(why) => Finding::unknown("definition", &format!("whether {name} is there"), why),
        }
    });
    judged.collect()
}

fn installed(
    known: &CustomResourceDefinition,
    seen: &CustomResourceDefinition,
    apply: &str,
) -> Finding {
    let name = known.name_any();
    let conditions = seen
        .status
        .iter()
        .flat_map(|status| &status.conditions)
        .flatten();
    let established = conditions
        .clone()
        .any(|condition| condition.type_ == "Established" && condition.status == "True");
    if !established {
        let why = conditions.filter_map(|condition| condition.message.clone());
        return Finding::failure(
            "definition",
            format!("the definition {name} is not established"),
            format!("kubectl describe crd {name}"),
        )
        .about(why);
    }
    let version = &known.spec.versions[0];
    let same = seen
        .spec
        .versions
        .iter()
        .find(|seen| seen.name == version.name);
    match same {
        Some(same) if same.served && same.schema == version.schema => Finding::fine(
            "definition",
            format!(
                "{name} is installed, {} as this command knows it",
                version.name
            ),
        ),
        Some(same) if same.served => Finding::warning(
            "definition",
            format!("{name} is installed, but of another release than this command"),
            format!("use the credence of the same release, or: {apply}"),
        ),
        _ => Finding::failure(
            "definition",
            format!("{name} is installed, but does not serve {}", version.name),
            apply,
        ),
    }
}
