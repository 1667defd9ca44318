//! A route of the bundle, made ready for requests: everything about it that
//! does not depend on the request is worked out once, when it is applied.

use std::fmt;
use std::sync::Arc;

use credence_core::CollectionName;
use credence_core::bundle::{OnConflict, Placed, Route};
use credence_core::placement::CompiledQuery;
use zeroize::Zeroizing;

use crate::http1::{Known, field};
use crate::metrics::CollectionMetrics;
use crate::upstream::Upstream;

/// Where the calls of one collection go, and what is put on them.
#[derive(Debug)]
pub(crate) struct Destination {
    pub(crate) collection: CollectionName,
    /// What the bundle said.
    pub(crate) route: Arc<Route>,
    /// The same for all destinations that replaced one another without the
    /// collection having been withdrawn in between.
    pub(crate) lineage: u64,
    pub(crate) upstream: Arc<Upstream>,
    /// The value of `Host` upstream.
    pub(crate) authority: Box<str>,
    pub(crate) headers: HeaderPlan,
    pub(crate) query: CompiledQuery,
    pub(crate) metrics: Arc<CollectionMetrics>,
}

/// The headers of a collection, rendered.
pub(crate) struct HeaderPlan {
    owned: Vec<Owned>,
    /// Bit n is set when an owned name has n letters; long ones share a bit.
    lengths: u64,
    /// The lines that are set on every call.
    always: Zeroizing<Vec<u8>>,
    /// The lines that are set unless the caller sent the name himself.
    if_absent: Vec<(Box<str>, Zeroizing<Vec<u8>>)>,
}

struct Owned {
    name: Box<str>,
    on_conflict: OnConflict,
}

/// A header of the bundle that cannot be sent. The bundle's maker checks the
/// same; this is the last line before the wire.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unplaceable {
    #[error("a header's name is not one")]
    Name,
    #[error("header {0} belongs to the connection")]
    Reserved(String),
    #[error("the value of header {0} holds a control character")]
    Value(String),
}

impl HeaderPlan {
    /// # Errors
    /// [`Unplaceable`], about the first header that is.
    pub(crate) fn compile(headers: &[Placed]) -> Result<Self, Unplaceable> {
        for header in headers {
            check(header)?;
        }
        // Room for all at once: growing would leave copies of secrets behind.
        let mut always = Zeroizing::new(Vec::with_capacity(headers.iter().map(line_length).sum()));
        let mut if_absent = Vec::new();
        for header in headers {
            if header.on_conflict == OnConflict::IfAbsent {
                let mut line = Zeroizing::new(Vec::with_capacity(line_length(header)));
                field::write(&header.name, value(header).as_bytes(), &mut line);
                if_absent.push((header.name.as_str().into(), line));
            } else {
                field::write(&header.name, value(header).as_bytes(), &mut always);
            }
        }
        let owned = |header: &Placed| Owned {
            name: header.name.as_str().into(),
            on_conflict: header.on_conflict,
        };
        Ok(Self {
            owned: headers.iter().map(owned).collect(),
            lengths: headers
                .iter()
                .fold(0, |bits, header| bits | length_bit(&header.name)),
            always,
            if_absent,
        })
    }

    /// What to do with a field of the caller, if its name is the collection's.
    pub(crate) fn on_conflict(&self, name: &str) -> Option<OnConflict> {
        if self.lengths & length_bit(name) == 0 {
            return None;
        }
        self.owned
            .iter()
            .find(|owned| is_same(owned.name.as_bytes(), name.as_bytes()))
            .map(|owned| owned.on_conflict)
    }

    /// Writes the collection's lines, given whether the caller sent a field of
    /// a name himself.
    pub(crate) fn write(&self, has: impl Fn(&str) -> bool, out: &mut Vec<u8>) {
        for (name, line) in &self.if_absent {
            if !has(name) {
                out.extend_from_slice(line);
            }
        }
        out.extend_from_slice(&self.always);
    }
}

impl fmt::Debug for HeaderPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.owned.iter().map(|owned| &owned.name))
            .finish()
    }
}

/// Servers that hand fields on as variables (RFC 3875 §4.1.18) do not tell `_`
/// from `-`, and would see the caller's beside ours.
fn is_same(ours: &[u8], sent: &[u8]) -> bool {
    let fold = |byte: &u8| match byte {
        b'_' => b'-',
        other => other.to_ascii_lowercase(),
    };
    ours.len() == sent.len() && ours.iter().map(fold).eq(sent.iter().map(fold))
}

fn check(header: &Placed) -> Result<(), Unplaceable> {
    let name = &header.name;
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err(Unplaceable::Name);
    }
    if Known::of(name).is_some_and(Known::is_ours) {
        return Err(Unplaceable::Reserved(name.clone()));
    }
    let control = |b: u8| matches!(b, 0..=8 | 10..=31 | 127);
    if value(header).bytes().any(control) {
        return Err(Unplaceable::Value(name.clone()));
    }
    Ok(())
}

/// RFC 9110 §5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn value(header: &Placed) -> &str {
    header.value.fixed().unwrap_or_default()
}

fn line_length(header: &Placed) -> usize {
    header.name.len() + ": \r\n".len() + value(header).len()
}

fn length_bit(name: &str) -> u64 {
    1 << name.len().min(63)
}

#[cfg(test)]
mod tests {
    use credence_core::Secret;

    use super::*;

    fn placed(name: &str, value: &str, on_conflict: OnConflict) -> Placed {
        Placed {
            name: name.to_owned(),
            value: Secret::new(value).into(),
            on_conflict,
        }
    }

    fn written(plan: &HeaderPlan, sent: &[&str]) -> String {
        let mut out = Vec::new();
        plan.write(|name| sent.contains(&name), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn names_are_owned_in_any_case() {
        let plan = HeaderPlan::compile(&[
            placed("Authorization", "k", OnConflict::Replace),
            placed("X-Team", "t", OnConflict::Reject),
        ])
        .unwrap();
        assert_eq!(plan.on_conflict("AUTHORIZATION"), Some(OnConflict::Replace));
        assert_eq!(plan.on_conflict("x-team"), Some(OnConflict::Reject));
        assert_eq!(plan.on_conflict("Authorisation"), None);
        assert_eq!(plan.on_conflict("Accept"), None);
    }

    #[test]
    fn a_default_gives_way_to_the_callers_own() {
        let plan = HeaderPlan::compile(&[
            placed("A", "1", OnConflict::IfAbsent),
            placed("B", "2", OnConflict::Replace),
        ])
        .unwrap();
        assert_eq!(written(&plan, &[]), "A: 1\r\nB: 2\r\n");
        assert_eq!(written(&plan, &["A", "B"]), "B: 2\r\n");
    }

    #[test]
    fn what_would_break_a_head_is_refused() {
        let refused = |name: &str, value: &str| {
            HeaderPlan::compile(&[placed(name, value, OnConflict::Replace)]).unwrap_err()
        };
        for name in ["", "A B", "A:", "\u{e9}", "A\r\nB"] {
            assert_eq!(refused(name, "v"), Unplaceable::Name);
        }
        for name in [
            "Host",
            "content-length",
            "Connection",
            "X-Forwarded-For",
            "TE",
        ] {
            assert_eq!(refused(name, "v"), Unplaceable::Reserved(name.to_owned()));
        }
        for value in ["a\r\nB: c", "a\0", "\u{7f}"] {
            assert_eq!(refused("A", value), Unplaceable::Value("A".to_owned()));
        }
    }

    #[test]
    fn debug_shows_names_only() {
        let plan = HeaderPlan::compile(&[placed("A", "sk_live_1", OnConflict::Replace)]);
        assert_eq!(format!("{:?}", plan.unwrap()), "[\"A\"]");
    }
}
