//! What comes before the caller's path: that of the base URL, and segments
//! that the collection sets, which may be the credential.

use std::fmt;

use credence_core::Secret;
use zeroize::Zeroizing;

use super::Unplaceable;
use crate::target;

/// The beginning of every path of a collection. Its `Debug` shows nothing.
pub(crate) struct PathPlan {
    /// `/v1/bot123`, without a trailing slash.
    before: Zeroizing<String>,
}

impl PathPlan {
    /// `base` is the path of the base URL, `segments` what follows it.
    ///
    /// # Errors
    /// [`Unplaceable::Path`].
    pub(crate) fn compile(base: &str, segments: Option<&Secret>) -> Result<Self, Unplaceable> {
        let segments = segments.map(Secret::expose);
        if !segments.is_none_or(is_path) {
            return Err(Unplaceable::Path);
        }
        let length = base.len() + segments.unwrap_or_default().len();
        let mut before = Zeroizing::new(String::with_capacity(length));
        before.push_str(base);
        before.push_str(segments.unwrap_or_default());
        Ok(Self { before })
    }

    /// Writes the path of a call whose caller asked for `rest`.
    pub(crate) fn write(&self, rest: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(self.before.as_bytes());
        out.extend_from_slice(rest.as_bytes());
        if self.before.is_empty() && rest.is_empty() {
            out.push(b'/');
        }
    }

    /// What a caller would have asked for to get to this reference of the
    /// provider: the opposite of [`PathPlan::write`].
    pub(crate) fn rest<'a>(&self, reference: &'a [u8]) -> Option<&'a [u8]> {
        let rest = reference.strip_prefix(self.before.as_bytes())?;
        matches!(rest, [] | [b'/' | b'?' | b'#', ..]).then_some(rest)
    }
}

impl fmt::Debug for PathPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PathPlan(…)")
    }
}

/// Whole segments (RFC 3986 §3.3) that mean the same to every server.
fn is_path(segments: &str) -> bool {
    let pchar = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@%/".contains(&byte);
    segments.starts_with('/')
        && !segments.ends_with('/')
        && segments.bytes().all(pchar)
        && !target::is_ambiguous(segments.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(base: &str, segments: Option<&str>) -> PathPlan {
        PathPlan::compile(base, segments.map(Secret::new).as_ref()).unwrap()
    }

    fn written(plan: &PathPlan, rest: &str) -> String {
        let mut out = Vec::new();
        plan.write(rest, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn segments_stand_between_the_base_and_the_callers_path() {
        let plan = plan("/v1", Some("/bot12:aB/x"));
        assert_eq!(written(&plan, "/send"), "/v1/bot12:aB/x/send");
        assert_eq!(written(&plan, "/"), "/v1/bot12:aB/x/");
        assert_eq!(written(&plan, ""), "/v1/bot12:aB/x");
    }

    #[test]
    fn a_path_is_never_empty() {
        assert_eq!(written(&plan("", None), ""), "/");
        assert_eq!(written(&plan("", Some("/k")), ""), "/k");
        assert_eq!(written(&plan("/v1", None), ""), "/v1");
    }

    #[test]
    fn the_rest_begins_where_a_segment_ends() {
        let plan = plan("/v1", Some("/k"));
        for (reference, rest) in [
            ("/v1/k/a?b", Some("/a?b")),
            ("/v1/k", Some("")),
            ("/v1/k?b", Some("?b")),
            ("/v1/key", None),
            ("/v1/other", None),
        ] {
            let found = plan.rest(reference.as_bytes());
            assert_eq!(found, rest.map(str::as_bytes), "{reference}");
        }
    }

    #[test]
    fn what_is_no_path_or_an_ambiguous_one_is_refused() {
        for segments in [
            "",
            "/",
            "k",
            "/k/",
            "/a b",
            "/a?b",
            "/a#b",
            "/..",
            "/a/%2e%2E",
            "/a\\b",
            "/a%5Cb",
            "/a\r\nb",
            "/\u{e9}",
        ] {
            let refused = PathPlan::compile("", Some(&Secret::new(segments)));
            assert_eq!(refused.unwrap_err(), Unplaceable::Path, "{segments:?}");
        }
    }
}
