//! What a person sees of what is served.

use std::fmt::Write as _;

use credence_core::CollectionName;

use crate::plan::{Row, State};
use crate::source::Served;

/// Whether colours are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paint {
    /// Never: a file, a pipe, `NO_COLOR`.
    Plain,
    /// A terminal.
    Colours,
}

impl Paint {
    const BOLD: &'static str = "1";
    const GREEN: &'static str = "32";
    const YELLOW: &'static str = "33";

    fn apply(self, code: &str, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Colours => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        }
    }

    /// A heading.
    pub(crate) fn bold(self, text: &str) -> String {
        self.apply(Self::BOLD, text)
    }

    /// Something that is as it should be.
    pub(crate) fn good(self, text: &str) -> String {
        self.apply(Self::GREEN, text)
    }

    /// Something that needs a look.
    pub(crate) fn bad(self, text: &str) -> String {
        self.apply(Self::YELLOW, text)
    }
}

/// The table, and below it what each collection that cannot be called lacks.
/// URLs begin with `base`.
pub(crate) fn render(served: &Served, base: &str, paint: Paint) -> String {
    let rows = &served.plan.rows;
    let mut text = String::new();
    if rows.is_empty() {
        let namespace = &served.namespace;
        _ = writeln!(text, "There is no ApiCollection in namespace {namespace}.");
    } else {
        table(&mut text, served, base, paint);
    }
    for row in rows {
        if let Some(advice) = row.state.advice() {
            let head = format!("{}: {}", row.name, row.state.word());
            _ = write!(text, "\n{}\n  {advice}\n", paint.bad(&head));
        }
    }
    if !served.ignored.is_empty() {
        _ = write!(text, "\nignored: {}\n", served.ignored);
    }
    text
}

fn table(text: &mut String, served: &Served, base: &str, paint: Paint) {
    let environment = served.environment.as_str();
    let name = |row: &Row| -> String { CollectionName::as_str(&row.name).to_owned() };
    let mut lines = vec![["COLLECTION", "ENVIRONMENT", "URL", "METHOD"].map(str::to_owned)];
    lines.extend(served.plan.rows.iter().map(|row| {
        let url = format!("{base}/{}", row.name);
        [
            name(row),
            environment.to_owned(),
            url,
            row.method.to_owned(),
        ]
    }));
    let width = |column: usize| {
        lines
            .iter()
            .map(|line| line[column].len())
            .max()
            .unwrap_or(0)
    };
    let widths = [width(0), width(1), width(2), width(3)];
    for (index, line) in lines.iter().enumerate() {
        let mut cells = String::new();
        for (cell, width) in line.iter().zip(widths) {
            _ = write!(cells, "{cell:width$}   ");
        }
        let state = index
            .checked_sub(1)
            .and_then(|row| served.plan.rows.get(row));
        match state.map(|row| &row.state) {
            None => _ = writeln!(text, "{}", paint.bold(&format!("{cells}STATE"))),
            Some(state @ State::Ready) => {
                _ = writeln!(text, "{cells}{}", paint.good(state.word()));
            }
            Some(state) => _ = writeln!(text, "{cells}{}", paint.bad(state.word())),
        }
    }
}
