//! What `credence lint` prints.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::json;

use crate::problem::{Problem, Severity};

/// Everything that there is to say.
pub(super) struct Report<'a> {
    /// Number of files that were read.
    pub(super) files: usize,
    /// Number of collections that could be read.
    pub(super) collections: usize,
    /// Kinds that were not looked at, and how many of each there are.
    pub(super) ignored: &'a BTreeMap<String, usize>,
    /// What is wrong, in the order in which a reader meets it.
    pub(super) problems: &'a [Problem],
}

impl Report<'_> {
    fn count(&self, severity: Severity) -> usize {
        let same = |problem: &&Problem| problem.severity == severity;
        self.problems.iter().filter(same).count()
    }

    /// For people: a line for each problem, and a summary beside them.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub(super) fn text(&self, out: &mut impl Write, summary: &mut impl Write) -> io::Result<()> {
        for problem in self.problems {
            writeln!(out, "{problem}")?;
        }
        writeln!(
            summary,
            "{}, {}: {}, {}",
            counted(self.files, "file"),
            counted(self.collections, "collection"),
            counted(self.count(Severity::Error), "error"),
            counted(self.count(Severity::Warning), "warning"),
        )?;
        if !self.ignored.is_empty() {
            let ignored = crate::inventory::listed(self.ignored);
            writeln!(summary, "ignored: {ignored}")?;
        }
        Ok(())
    }

    /// For programs: one object, whose members stay what they are; new ones
    /// may be added.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub(super) fn json(&self, out: &mut impl Write) -> io::Result<()> {
        let problem = |problem: &Problem| {
            json!({
                "file": *problem.file,
                "line": problem.position.line,
                "column": problem.position.column,
                "field": problem.field,
                "severity": problem.severity.as_str(),
                "message": problem.message,
            })
        };
        let report = json!({
            "files": self.files,
            "collections": self.collections,
            "errors": self.count(Severity::Error),
            "warnings": self.count(Severity::Warning),
            "ignored": self.ignored,
            "problems": self.problems.iter().map(problem).collect::<Vec<_>>(),
        });
        writeln!(out, "{report:#}")
    }
}

fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}
