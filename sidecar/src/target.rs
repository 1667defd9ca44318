//! What a request is for: the collection, and the rest as the caller wrote it.

// Not by its whole path: this file is compiled by itself too, to be fuzzed.
use super::authority;

/// A request target, taken apart but not decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target<'b> {
    /// `/`: the list of collections.
    Index,
    /// A call.
    Call {
        /// The first path segment.
        collection: &'b str,
        /// What follows it: empty, or beginning with a slash.
        path: &'b str,
        /// What follows the question mark, if there is one.
        query: Option<&'b str>,
    },
}

/// Why a target is refused. The caller is shown the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TargetError {
    /// Neither a path nor the absolute form (RFC 9112 §3.2).
    #[error("The target of a request must be a path.")]
    Form,
    /// The absolute form with a query and no path.
    #[error("The target of a request must have a path before its query.")]
    NoPath,
    /// The absolute form with an authority that is not this machine.
    #[error(
        "This is not a forward proxy: the target of a request must be a path, or on the host that is called."
    )]
    Foreign,
    /// A fragment, which some servers cut off and others do not.
    #[error("The target of a request has no fragment: encode \"#\" as %23.")]
    Fragment,
    /// A path that another server could see another path in.
    #[error(
        "The path holds \".\" or \"..\" as a segment, a backslash or a NUL, plain or encoded: write the path that is meant."
    )]
    Ambiguous,
}

impl<'b> Target<'b> {
    /// Takes the target of a request apart. `names` are those by which the
    /// proxy may be called besides localhost.
    ///
    /// # Errors
    /// [`TargetError`], also for what a server could read in two ways.
    pub(crate) fn parse(target: &'b str, names: &[String]) -> Result<Self, TargetError> {
        let (path, query) = path_and_query(target, names)?;
        let inner = path.strip_prefix('/').unwrap_or(path);
        if inner.is_empty() {
            return Ok(Self::Index);
        }
        let end = inner.find('/').unwrap_or(inner.len());
        let (collection, path) = inner.split_at(end);
        Ok(Self::Call {
            collection,
            path,
            query,
        })
    }
}

/// The path of a target, which is unambiguous, and what follows its question
/// mark.
///
/// # Errors
/// [`TargetError`].
pub(crate) fn path_and_query<'b>(
    target: &'b str,
    names: &[String],
) -> Result<(&'b str, Option<&'b str>), TargetError> {
    let origin = match target.as_bytes() {
        [b'/', ..] => target,
        _ => absolute(target, names)?,
    };
    let (path, query) = match origin.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (origin, None),
    };
    if target.contains('#') {
        return Err(TargetError::Fragment);
    }
    if is_ambiguous(path.as_bytes()) {
        return Err(TargetError::Ambiguous);
    }
    Ok((path, query))
}

/// The path and query of `http://authority/path?query` (RFC 9112 §3.2.2).
fn absolute<'b>(target: &'b str, names: &[String]) -> Result<&'b str, TargetError> {
    const SCHEME: &str = "http://";
    let scheme = target.get(..SCHEME.len());
    if !scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(SCHEME)) {
        return Err(TargetError::Form);
    }
    let rest = &target[SCHEME.len()..];
    let (authority, origin) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    if !authority::is_ours(authority.as_bytes(), names) {
        return Err(TargetError::Foreign);
    }
    match origin.as_bytes() {
        [] => Ok("/"),
        [b'/', ..] => Ok(origin),
        _ => Err(TargetError::NoPath),
    }
}

/// Whether another server could see another path here: because it resolves
/// dot segments, also after decoding or with parameters (`..;a`), or takes a
/// backslash for a slash.
pub(crate) fn is_ambiguous(path: &[u8]) -> bool {
    // Nearly all paths end here: no escape, and no segment begins with a dot.
    let mut plain = true;
    let mut previous = b'/';
    for &byte in path {
        plain &= !(matches!(byte, b'%' | b'\\' | 0) || (byte == b'.' && previous == b'/'));
        previous = byte;
    }
    if plain {
        return false;
    }
    let mut segment = Segment::default();
    let mut rest = path;
    while let [first, after @ ..] = rest {
        let (byte, after) = decoded(*first, after);
        rest = after;
        match byte {
            b'\\' | 0 => return true,
            b'/' if segment.is_dots() => return true,
            b'/' => segment = Segment::default(),
            _ => segment.push(byte),
        }
    }
    segment.is_dots()
}

/// The next byte, and what follows it; an escape that is none stands for
/// itself.
pub(crate) fn decoded(first: u8, after: &[u8]) -> (u8, &[u8]) {
    let digit = |b: &u8| char::from(*b).to_digit(16);
    match after {
        [high, low, rest @ ..] if first == b'%' => match (digit(high), digit(low)) {
            (Some(high), Some(low)) => (u8::try_from(high * 16 + low).unwrap_or(first), rest),
            _ => (first, after),
        },
        _ => (first, after),
    }
}

/// As much of a segment as tells whether it is `.` or `..`.
#[derive(Default)]
struct Segment {
    dots: u8,
    parameters: bool,
    other: bool,
}

impl Segment {
    fn push(&mut self, byte: u8) {
        match byte {
            _ if self.parameters || self.other => {}
            b'.' if self.dots < 2 => self.dots += 1,
            b';' => self.parameters = true,
            _ => self.other = true,
        }
    }

    fn is_dots(&self) -> bool {
        self.dots > 0 && !self.other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call<'b>(collection: &'b str, path: &'b str, query: Option<&'b str>) -> Target<'b> {
        Target::Call {
            collection,
            path,
            query,
        }
    }

    #[test]
    fn the_first_segment_is_the_collection_and_the_rest_stays_as_it_is() {
        for (target, expected) in [
            ("/openai", call("openai", "", None)),
            ("/openai/", call("openai", "/", None)),
            (
                "/openai/a%2Fb//c;d?x=1&&y",
                call("openai", "/a%2Fb//c;d", Some("x=1&&y")),
            ),
            ("/openai?", call("openai", "", Some(""))),
            ("/openai?a=/../b", call("openai", "", Some("a=/../b"))),
            ("//openai", call("", "/openai", None)),
            (
                "http://localhost:2733/openai/x?y",
                call("openai", "/x", Some("y")),
            ),
            ("HTTP://127.0.0.1/openai", call("openai", "", None)),
            ("/", Target::Index),
            ("/?a", Target::Index),
            ("http://localhost", Target::Index),
        ] {
            assert_eq!(Target::parse(target, &[]).unwrap(), expected, "{target}");
        }
    }

    #[test]
    fn paths_that_can_be_read_two_ways_are_refused() {
        for target in [
            "/a/..",
            "/a/../b",
            "/./a",
            "/a/.",
            "/a/%2e%2E/b",
            "/a/.%2e",
            "/a/%2e/b",
            "/a/..%2fb",
            "/a%2f..%2fb",
            "/a/..;x/b",
            "/a/.;/b",
            "/a\\b",
            "/a%5cb",
            "/a%00",
            "/..",
            "/%2e%2e",
            "*",
            "openai/x",
            "/a#b",
            "/a?b#c",
            "https://localhost/a",
            "http://localhost?x",
            "ftp://localhost/",
        ] {
            let error = Target::parse(target, &[]).unwrap_err();
            assert_ne!(error, TargetError::Foreign, "{target}");
        }
    }

    #[test]
    fn paths_with_harmless_dots_and_escapes_pass() {
        for path in [
            "/a/.b",
            "/a/...",
            "/a/..b",
            "/a/b..",
            "/a/b.json",
            "/a/.well-known",
            "/a/%20b",
            "/a/100%",
            "/a/%2",
            "/a/%252e%252e",
        ] {
            assert!(Target::parse(path, &[]).is_ok(), "{path}");
        }
    }

    #[test]
    fn the_absolute_form_is_for_this_machine_only() {
        for target in [
            "http://api.example.com/a",
            "http://localhost@evil.example/a",
            "http:///a",
        ] {
            assert_eq!(
                Target::parse(target, &[]),
                Err(TargetError::Foreign),
                "{target}"
            );
        }
    }
}
