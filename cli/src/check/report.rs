//! What `credence check` prints.

use std::io::{self, Write};

use serde_json::json;

use super::finding::{Section, Verdict, count};
use crate::table::Paint;

/// Of a list, as many as a person reads; programs get all.
const SHOWN: usize = 10;

/// For people.
///
/// # Errors
/// When the output cannot be written.
pub(super) fn text(sections: &[Section], paint: Paint, out: &mut impl Write) -> io::Result<()> {
    for section in sections {
        writeln!(out, "{}", paint.bold(section.title))?;
        for finding in &section.findings {
            let mark = match finding.verdict {
                Verdict::Fine => paint.good("✓"),
                Verdict::Warning => paint.bad("!"),
                Verdict::Failure => paint.worst("✗"),
            };
            writeln!(out, "{mark} {}", finding.message)?;
            for detail in finding.details.iter().take(SHOWN) {
                writeln!(out, "  · {detail}")?;
            }
            if finding.details.len() > SHOWN {
                let more = finding.details.len() - SHOWN;
                writeln!(out, "  · and {more} more (--output json lists all)")?;
            }
            for line in finding.hint.lines() {
                writeln!(out, "    {line}")?;
            }
        }
        writeln!(out)?;
    }
    let failures = count(sections, Verdict::Failure);
    let warnings = count(sections, Verdict::Warning);
    match (failures, warnings) {
        (0, 0) => writeln!(out, "{}", paint.good("All is well.")),
        _ => writeln!(
            out,
            "{}, {}",
            counted(failures, "failure"),
            counted(warnings, "warning")
        ),
    }
}

/// For programs: one object, whose members stay what they are; new ones may be
/// added.
///
/// # Errors
/// When the output cannot be written.
pub(super) fn json(sections: &[Section], out: &mut impl Write) -> io::Result<()> {
    let findings: Vec<_> = sections
        .iter()
        .flat_map(|section| {
            section
                .findings
                .iter()
                .map(move |finding| (section, finding))
        })
        .map(|(section, finding)| {
            json!({
                "section": section.title,
                "check": finding.check,
                "verdict": finding.verdict.as_str(),
                "message": finding.message,
                "details": finding.details,
                "hint": finding.hint,
            })
        })
        .collect();
    let report = json!({
        "failures": count(sections, Verdict::Failure),
        "warnings": count(sections, Verdict::Warning),
        "findings": findings,
    });
    writeln!(out, "{report:#}")
}

pub(super) fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}
