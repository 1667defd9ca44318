//! What becomes of the target of a request on its way to the provider.

use crate::target::Target;
use credence_core::Secret;
use credence_core::bundle::{OnConflict, Placed};
use credence_core::placement::CompiledQuery;
use credence_core::template::Moment;

/// Takes a target apart, and reads the path that would be sent as the loosest
/// of servers would.
///
/// # Panics
/// When something of it is lost, or leads out of the collection's base.
pub fn stays_inside(target: &str) {
    let Ok(Target::Call {
        collection,
        path,
        query,
    }) = Target::parse(target, &[])
    else {
        return;
    };
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    let whole = format!("/{collection}{path}{query}");
    assert!(target.ends_with(&whole), "{whole:?} is not what was sent");
    if target.starts_with('/') {
        assert_eq!(target, whole);
    }
    assert!(path.is_empty() || path.starts_with('/'));
    assert!(!collection.contains(['/', '?', '#']));
    for base in ["", "/v1", "/a/b.c"] {
        let path = format!("{base}{path}");
        for read in [resolved_then_decoded(&path), decoded_then_resolved(&path)] {
            let read = read.unwrap_or_else(|| panic!("{path:?} climbs out of the root"));
            assert!(
                is_inside(&read, base.as_bytes()),
                "{path:?} is outside of {base:?} as \"{}\"",
                read.escape_ascii()
            );
        }
    }
}

fn is_inside(path: &[u8], base: &[u8]) -> bool {
    let rest = path.strip_prefix(base);
    rest.is_some_and(|rest| matches!(rest, [] | [b'/', ..]))
}

fn decoded_then_resolved(path: &str) -> Option<Vec<u8>> {
    resolved(&decoded(path.as_bytes()))
}

fn resolved_then_decoded(path: &str) -> Option<Vec<u8>> {
    resolved(path.as_bytes()).map(|path| decoded(&path))
}

/// Ends at a NUL, takes a backslash for a slash, forgets parameters, and
/// follows dot segments; none when they lead above the root.
fn resolved(path: &[u8]) -> Option<Vec<u8>> {
    let end = path.iter().position(|byte| *byte == 0);
    let mut segments: Vec<&[u8]> = Vec::new();
    for segment in path[..end.unwrap_or(path.len())].split(|byte| matches!(byte, b'/' | b'\\')) {
        let end = segment.iter().position(|byte| *byte == b';');
        match &segment[..end.unwrap_or(segment.len())] {
            b"." => {}
            b".." => {
                segments.pop().filter(|popped| !popped.is_empty())?;
            }
            name => segments.push(name),
        }
    }
    Some(segments.join(&b'/'))
}

fn decoded(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, after @ ..] = rest {
        let escaped = after
            .get(..2)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        let value = escaped
            .filter(|digits| *first == b'%' && digits.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match value {
            Some(byte) => {
                out.push(byte);
                rest = &after[2..];
            }
            None => {
                out.push(*first);
                rest = after;
            }
        }
    }
    out
}

/// What the collection sets in the query: its name, and what it says.
const OWNED: [(&str, &str, OnConflict); 5] = [
    ("key", "ours&=", OnConflict::Replace),
    ("a b", "", OnConflict::Replace),
    ("x[y]", "1", OnConflict::Reject),
    ("\u{e9}", "2", OnConflict::Replace),
    ("default", "3", OnConflict::IfAbsent),
];

/// None of them varies.
const MOMENT: Moment = Moment {
    unix_seconds: 0,
    random: [0; 16],
};

/// Has a query rewritten, and reads it as a server would.
///
/// # Panics
/// When one of the caller's parameters has survived under a name of the
/// collection, or any other has not.
pub fn owns_its_parameters(sent: &[u8]) {
    let placed = OWNED.map(|(name, value, on_conflict)| Placed {
        name: name.to_owned(),
        value: Secret::new(value).into(),
        private: false,
        on_conflict,
    });
    let ours = CompiledQuery::compile(&placed);
    let theirs: Vec<_> = sent.split(|byte| *byte == b'&').collect();
    let owner = |parameter: &[u8]| {
        let name = name(parameter);
        // A plus is a space to some, and itself to others.
        let spaced: Vec<u8> = decoded(&name.iter().map(spaced).collect::<Vec<_>>());
        let names = [decoded(name), spaced];
        OWNED
            .iter()
            .find(|(owned, ..)| names.iter().any(|name| name == owned.as_bytes()))
    };
    let kept: Vec<&[u8]> = theirs
        .iter()
        .copied()
        .filter(|parameter| {
            owner(parameter).is_none_or(|(.., conflict)| *conflict == OnConflict::IfAbsent)
        })
        .collect();
    let refused = theirs
        .iter()
        .any(|each| owner(each).is_some_and(|(.., conflict)| *conflict == OnConflict::Reject));
    let absent = !theirs
        .iter()
        .any(|each| owner(each).is_some_and(|(name, ..)| *name == "default"));

    let mut out = b"/p".to_vec();
    let written = ours.write(Some(sent), &&MOMENT, &mut out);
    assert_eq!(written.is_err(), refused, "a parameter that is refused");
    if refused {
        return;
    }
    let mut expected = kept.join(&b'&');
    let default: &[u8] = if absent { b"default=3&" } else { b"" };
    let always: &[u8] = b"key=ours%26%3D&a%20b=&x%5By%5D=1&%C3%A9=2";
    if !expected.is_empty() {
        expected.push(b'&');
    }
    expected.extend_from_slice(default);
    expected.extend_from_slice(always);
    let read = out.strip_prefix(b"/p?").unwrap_or_default();
    assert!(
        read == expected,
        "sent as \"{}\", not as \"{}\"",
        read.escape_ascii(),
        expected.escape_ascii()
    );

    let mut others = Vec::new();
    ours.write_others(sent, &mut others);
    let none = others.split(|byte| *byte == b'&').find_map(owner);
    assert_eq!(none, None, "told the caller what the collection sets");
}

fn name(parameter: &[u8]) -> &[u8] {
    let end = parameter.iter().position(|byte| *byte == b'=');
    &parameter[..end.unwrap_or(parameter.len())]
}

fn spaced(byte: &u8) -> u8 {
    if *byte == b'+' { b' ' } else { *byte }
}
