//! Who may change which credential a namespace gets.

use crate::check::cluster::Look;
use crate::check::facts::Installation;
use crate::check::finding::Finding;
use crate::check::grants::Holder;

pub(super) fn judge(found: &Installation) -> Vec<Finding> {
    let check = "promote";
    let grants = match &found.grants {
        Look::Seen(grants) => grants,
        Look::Absent => {
            return vec![Finding::unknown(
                check,
                "who holds promote",
                "the cluster has no RBAC",
            )];
        }
        Look::Unknown(why) => return vec![Finding::unknown(check, "who holds promote", why)],
    };
    let (everybody, chosen): (Vec<Holder>, Vec<Holder>) = grants
        .holders()
        .into_iter()
        .partition(|holder| holder.everybody);
    let mut findings = Vec::new();
    if !everybody.is_empty() {
        findings.push(
            Finding::failure(
                check,
                "everybody may make a namespace live:",
                "take the verb promote on apicollections.credence.dev out of these roles, or the subjects out of their bindings",
            )
            .about(everybody.iter().map(told)),
        );
    }
    findings.push(match chosen.len() {
        0 => Finding::fine(
            check,
            "no role gives the verb promote to anybody in particular",
        ),
        _ => Finding::fine(check, "the verb promote is held by:").about(chosen.iter().map(told)),
    });
    findings
}

fn told(holder: &Holder) -> String {
    let place = match &holder.namespace {
        Some(namespace) => format!("in {namespace}"),
        None => "in every namespace".to_owned(),
    };
    let how = if holder.by_wildcard {
        "by the wildcard of"
    } else {
        "by"
    };
    format!("{} {place}, {how} {}", holder.subject, holder.role)
}
