//! What is wrong with a manifest, and where.

use std::fmt;
use std::sync::Arc;

use crate::position::Position;

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    /// An API server would refuse it, or no cluster could make it work.
    Error,
    /// It may work elsewhere: what is missing need not be in these files.
    Warning,
}

impl Severity {
    /// For programs.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One thing that is wrong, shown as `file:line:column: field.path: message`.
/// Holds names, never values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// As the path was given, or found below one that was.
    pub(crate) file: Arc<str>,
    /// Where in the file.
    pub(crate) position: Position,
    /// The field's path; empty where the text as a whole is meant.
    pub(crate) field: String,
    /// How bad it is.
    pub(crate) severity: Severity,
    /// What is wrong, and what to do.
    pub(crate) message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.file, self.position)?;
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        if self.severity == Severity::Warning {
            f.write_str("warning: ")?;
        }
        f.write_str(&self.message)
    }
}

/// Brings problems into the order in which a reader meets them, each once.
pub(crate) fn sort(problems: &mut Vec<Problem>) {
    problems.sort_by(|a, b| {
        let key = |p: &Problem| (p.file.clone(), p.position, p.severity, p.field.clone());
        key(a).cmp(&key(b)).then_with(|| a.message.cmp(&b.message))
    });
    problems.dedup();
}

/// Whether any of these is an error.
pub(crate) fn any_error(problems: &[Problem]) -> bool {
    problems
        .iter()
        .any(|problem| problem.severity == Severity::Error)
}
