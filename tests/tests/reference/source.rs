//! Names and what is said of them, from the doc comments beside them: there is
//! no second place where that is written.

use crate::read;

/// A constant, or a variant of an enumeration.
#[derive(Debug)]
pub(crate) struct Documented {
    /// As the code spells it.
    pub(crate) name: String,
    /// The text or number of a constant; empty for a variant.
    pub(crate) value: String,
    /// The doc comment, on one line.
    pub(crate) comment: String,
}

/// The public constants of a file that are texts or numbers.
pub(crate) fn constants(path: &str) -> Vec<Documented> {
    documented(&read(path), |line| {
        let (name, rest) = line.strip_prefix("pub const ")?.split_once(": ")?;
        let (_, value) = rest.strip_suffix(';')?.split_once(" = ")?;
        Some((name.to_owned(), value.trim_matches('"').to_owned()))
    })
}

/// The variants of the first enumeration of a file.
pub(crate) fn variants(path: &str) -> Vec<Documented> {
    let text = read(path);
    let (_, body) = text.split_once("pub enum ").expect("an enumeration");
    let (body, _) = body.split_once("\n}").expect("its end");
    documented(body, |line| {
        let name = line.strip_suffix(',')?;
        let plain = name.chars().all(|c| c.is_ascii_alphanumeric());
        plain.then(|| (name.to_owned(), String::new()))
    })
}

fn documented(text: &str, item: impl Fn(&str) -> Option<(String, String)>) -> Vec<Documented> {
    let mut found = Vec::new();
    let mut comment: Vec<&str> = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(said) = line.strip_prefix("///") {
            comment.push(said.trim());
            continue;
        }
        if let Some((name, value)) = item(line) {
            found.push(Documented {
                name,
                value,
                comment: comment.join(" "),
            });
        }
        comment.clear();
    }
    assert!(!found.is_empty(), "nothing is documented there");
    resolve_links(&mut found);
    found
}

/// Writes what a link in a comment leads to instead of its name.
fn resolve_links(found: &mut [Documented]) {
    let values: Vec<(String, String)> = found
        .iter()
        .filter(|one| !one.value.is_empty())
        .map(|one| (format!("[`{}`]", one.name), format!("`{}`", one.value)))
        .collect();
    for one in found {
        for (link, value) in &values {
            one.comment = one.comment.replace(link, value);
        }
        // To functions and elsewhere: without the brackets.
        one.comment = one.comment.replace("[`", "`").replace("`]", "`");
    }
}
