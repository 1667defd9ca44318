//! What a caller asks for.

use std::fmt;
use std::str::FromStr;

use http::uri::PathAndQuery;

/// What follows the base URL in a call: nothing, or a path that begins with a
/// slash, and perhaps a query. It is sent as it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallTarget {
    path: Box<str>,
    query: Option<Box<str>>,
}

/// The text is not what a caller could ask for. The messages say what to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCallTarget {
    /// It begins otherwise.
    #[error("must begin with a slash: write what follows the base URL, like /models")]
    NoSlash,
    /// `${…}`.
    #[error("must not hold ${{…}}: it is sent as it is written")]
    Variable,
    /// `#…`.
    #[error("must not hold a fragment (#)")]
    Fragment,
    /// What another server could see another path in.
    #[error("must not hold \".\" or \"..\" as a segment, a backslash or a NUL, plain or encoded")]
    Ambiguous,
    /// A character that no URL has.
    #[error("holds a character that no URL has: write it percent-encoded")]
    Character,
}

impl CallTarget {
    /// Empty, or beginning with a slash.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What follows the question mark, if there is one.
    pub fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }
}

impl fmt::Display for CallTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        match &self.query {
            Some(query) => write!(f, "?{query}"),
            None => Ok(()),
        }
    }
}

impl FromStr for CallTarget {
    type Err = InvalidCallTarget;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        if !text.starts_with('/') {
            return Err(InvalidCallTarget::NoSlash);
        }
        if text.contains("${") {
            return Err(InvalidCallTarget::Variable);
        }
        if text.contains('#') {
            return Err(InvalidCallTarget::Fragment);
        }
        let (path, query) = match text.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (text, None),
        };
        if is_ambiguous(path) {
            return Err(InvalidCallTarget::Ambiguous);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic())
            || PathAndQuery::try_from(text).is_err()
        {
            return Err(InvalidCallTarget::Character);
        }
        Ok(Self {
            path: path.into(),
            query: query.map(Into::into),
        })
    }
}

/// Whether another server could see another path here, as sidecars judge it:
/// because it resolves dot segments, also after decoding or with parameters
/// (`..;a`), or takes a backslash for a slash.
fn is_ambiguous(path: &str) -> bool {
    let mut decoded = path.to_ascii_lowercase();
    for (escape, character) in [("%2e", "."), ("%2f", "/"), ("%3b", ";"), ("%5c", "\\")] {
        decoded = decoded.replace(escape, character);
    }
    let is_dots = |segment: &str| {
        let name = segment.split(';').next();
        matches!(name, Some("." | ".."))
    };
    decoded.contains(['\\', '\0']) || decoded.contains("%00") || decoded.split('/').any(is_dots)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_and_query_stay_as_they_are_written() {
        for (text, path, query) in [
            ("", "", None),
            ("/", "/", None),
            ("/models", "/models", None),
            (
                "/a%2Fb//c;d/...?x=1&&y=/../",
                "/a%2Fb//c;d/...",
                Some("x=1&&y=/../"),
            ),
            ("/?", "/", Some("")),
        ] {
            let target: CallTarget = text.parse().unwrap();
            assert_eq!((target.path(), target.query()), (path, query), "{text}");
            assert_eq!(target.to_string(), text);
        }
    }

    #[test]
    fn what_nobody_could_ask_for_says_why() {
        for (text, why) in [
            ("models", InvalidCallTarget::NoSlash),
            ("?a=b", InvalidCallTarget::NoSlash),
            ("https://other.test/", InvalidCallTarget::NoSlash),
            ("/${values.a}", InvalidCallTarget::Variable),
            ("/a#b", InvalidCallTarget::Fragment),
            ("/a/../b", InvalidCallTarget::Ambiguous),
            ("/a/%2E%2e", InvalidCallTarget::Ambiguous),
            ("/a%2f..%2Fb", InvalidCallTarget::Ambiguous),
            ("/a/..%3Bx/b", InvalidCallTarget::Ambiguous),
            ("/a\\b", InvalidCallTarget::Ambiguous),
            ("/a%5Cb", InvalidCallTarget::Ambiguous),
            ("/a%00", InvalidCallTarget::Ambiguous),
            ("/a b", InvalidCallTarget::Character),
            ("/a\r\nX: y", InvalidCallTarget::Character),
            ("/\u{e9}", InvalidCallTarget::Character),
            ("/a?b=\u{e9}", InvalidCallTarget::Character),
        ] {
            assert_eq!(text.parse::<CallTarget>(), Err(why), "{text}");
        }
    }
}
