//! What a person sees of what is served.

use std::fmt::Write as _;

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
    const RED: &'static str = "31";

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

    /// Something that does not work.
    pub(crate) fn worst(self, text: &str) -> String {
        self.apply(Self::RED, text)
    }
}

/// The table, and below it what is to be known of each collection besides. URLs
/// begin with `base`.
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
        let name = label(row);
        if let Some(port) = row.port {
            _ = writeln!(text, "\n{name}: also at http://localhost:{port}/");
        }
        if let Some(advice) = row.state.advice() {
            let head = format!("{name}: {}", row.state.word());
            _ = writeln!(text, "\n{}\n  {advice}", paint.bad(&head));
        }
        for warning in &row.warnings {
            let head = format!("{name}: warning");
            _ = writeln!(text, "\n{}\n  {warning}", paint.bad(&head));
        }
    }
    if !served.ignored.is_empty() {
        _ = write!(text, "\nignored: {}\n", served.ignored);
    }
    text
}

/// The collection's name, and its kind where that is not the usual one.
fn label(row: &Row) -> String {
    let kind = if row.of_cluster { " (cluster)" } else { "" };
    format!("{}{kind}", row.name)
}

fn table(text: &mut String, served: &Served, base: &str, paint: Paint) {
    let environment = served.environment.as_str();
    let mut lines = vec![["COLLECTION", "ENVIRONMENT", "URL", "METHOD"].map(str::to_owned)];
    lines.extend(served.plan.rows.iter().map(|row| {
        let url = match row.state.is_there() {
            true => format!("{base}/{}", row.name),
            false => "-".to_owned(),
        };
        [
            label(row),
            environment.to_owned(),
            url,
            row.method.to_owned(),
        ]
    }));
    let width = |column: usize| lines.iter().map(|line| line[column].len()).max();
    let widths = [0, 1, 2, 3].map(|column| width(column).unwrap_or(0));
    let states = served.plan.rows.iter().map(|row| {
        let word = row.state.word();
        match (&row.state, row.warnings.as_slice()) {
            (State::Ready, []) => paint.good(word),
            _ => paint.bad(word),
        }
    });
    let last = std::iter::once(paint.bold("STATE")).chain(states);
    for (index, (line, last)) in lines.iter().zip(last).enumerate() {
        let mut cells = String::new();
        for (cell, width) in line.iter().zip(widths) {
            _ = write!(cells, "{cell:width$}   ");
        }
        let cells = if index == 0 {
            paint.bold(&cells)
        } else {
            cells
        };
        _ = writeln!(text, "{cells}{last}");
    }
}
