//! What can be wrong with a template's text.

use super::filter;

/// Every variable, as messages list them.
const VARIABLES: &str =
    "secret.KEY, values.NAME, baseUrl, uuid, now.unix, now.iso8601, token and token.NAME";

/// The text is not a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at character {position}: {problem}")]
pub struct TemplateError {
    /// The offending character, counted from 1.
    pub position: usize,
    /// What is wrong there.
    pub problem: TemplateProblem,
}

/// What is wrong, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateProblem {
    /// `${secret.a` without an end.
    #[error(
        "\"${{\" is not closed: write \"}}\" after the variable, or \"$${{\" for a literal \"${{\""
    )]
    Unclosed,
    /// `${(secret.a}`.
    #[error("\"(\" is not closed: write \")\" after the last part")]
    UnclosedComposition,
    /// `${("a}`.
    #[error("the text in quotes is not closed: write '\"' after it")]
    UnclosedString,
    /// Compositions within compositions within …
    #[error("parentheses are nested more than {0} deep")]
    TooDeep(usize),
    /// `${}`, `${()}`, `${|hex}`.
    #[error("a variable is missing here: there are {VARIABLES}")]
    Empty,
    /// `${secret.a b}`.
    #[error("unexpected \"{0}\": after a variable come \"|\" and a filter, or \"}}\"")]
    Unexpected(char),
    /// A variable that does not exist.
    #[error("unknown variable \"{name}\"{}; there are {VARIABLES}", propose(.meant.as_deref()))]
    UnknownVariable {
        /// As written.
        name: String,
        /// What was probably meant.
        meant: Option<String>,
    },
    /// `${secret.}`, `${secret.a/b}`, `${values.a b}`.
    #[error("\"{0}\" cannot be a key: keys consist of letters, digits, \"-\", \"_\" and \".\"")]
    InvalidKey(String),
    /// `${secret.a#b}`.
    #[error("\"{0}\" is not a JSON pointer: write it like \"#/client_email\"")]
    InvalidPointer(String),
    /// A filter that does not exist.
    #[error("unknown filter \"{name}\"{}; there are {}", propose(.meant.as_deref()), filter::NAMES.join(", "))]
    UnknownFilter {
        /// As written.
        name: String,
        /// What was probably meant.
        meant: Option<String>,
    },
    /// `hmacSha256` without its key.
    #[error("filter \"hmacSha256\" needs a key of the Secret: write hmacSha256:KEY")]
    ArgumentMissing,
    /// `upper:a`.
    #[error("filter \"{0}\" takes nothing after \":\"")]
    ArgumentUnexpected(String),
    /// `hmacSha256:KEY` with nothing, or another filter, after it.
    #[error("\"hmacSha256\" gives raw bytes: write |hex, |base64 or |base64url after it")]
    RawBytes,
}

fn propose(meant: Option<&str>) -> String {
    meant.map_or_else(String::new, |meant| format!(" (did you mean \"{meant}\"?)"))
}
