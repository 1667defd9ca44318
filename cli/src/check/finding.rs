//! What was found out, in the order in which it is said.

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// As it should be.
    Fine,
    /// Works, or may work: it needs a look, or cannot be known.
    Warning,
    /// Something that should work does not.
    Failure,
}

impl Verdict {
    /// For programs.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Fine => "ok",
            Self::Warning => "warning",
            Self::Failure => "failure",
        }
    }
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// The question's name, for programs.
    pub(super) check: &'static str,
    pub(super) verdict: Verdict,
    /// What is the case.
    pub(super) message: String,
    /// What it is about, one by one.
    pub(super) details: Vec<String>,
    /// What to do; empty where there is nothing to do.
    pub(super) hint: String,
}

impl Finding {
    pub(super) fn fine(check: &'static str, message: impl Into<String>) -> Self {
        Self::new(check, Verdict::Fine, message, "")
    }

    pub(super) fn warning(
        check: &'static str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self::new(check, Verdict::Warning, message, hint)
    }

    pub(super) fn failure(
        check: &'static str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self::new(check, Verdict::Failure, message, hint)
    }

    /// What could not be found out.
    pub(super) fn unknown(check: &'static str, what: &str, why: &str) -> Self {
        Self::warning(check, format!("{what} is not known: {why}"), "")
    }

    fn new(
        check: &'static str,
        verdict: Verdict,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self {
            check,
            verdict,
            message: message.into(),
            details: Vec::new(),
            hint: hint.into(),
        }
    }

    pub(super) fn about(mut self, details: impl IntoIterator<Item = String>) -> Self {
        self.details.extend(details);
        self
    }
}

/// Findings about one part of an installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) title: &'static str,
    pub(super) findings: Vec<Finding>,
}

/// Whether anything does not work.
pub(super) fn any_failure(sections: &[Section]) -> bool {
    count(sections, Verdict::Failure) > 0
}

pub(super) fn count(sections: &[Section], verdict: Verdict) -> usize {
    let all = sections.iter().flat_map(|section| &section.findings);
    all.filter(|finding| finding.verdict == verdict).count()
}
