//! What a collection sets in the query of a call.
//!
//! The caller's query is never taken apart and put together again: signatures
//! and odd servers depend on its order, its duplicates and its spelling (RFC
//! 9110 §7.7). The byte ranges of the parameters that the collection owns are
//! left out, ours are appended, and every other byte goes as it came.
//!
//! Parameters end at `&`, and names are told apart by case, as the URL Standard
//! and nearly all servers have it. A server that also ends them at `;`, or that
//! takes `API_KEY` for `api_key`, can be sent both by the caller; it then sees
//! the caller's value beside ours. To leave more out would break the calls of
//! all others, where `;` is a part of a value and the two names are two.

use std::fmt;
use std::ops::Deref;

use percent_encoding::utf8_percent_encode;
use zeroize::Zeroizing;

use crate::bundle::{OnConflict, Placed, Value};
use crate::percent::UNRESERVED;
use crate::template::{Moment, Varying};

/// The query parameters of a route, prepared once, when a bundle is applied.
/// Its `Debug` shows names only.
#[derive(Default)]
pub struct CompiledQuery {
    owned: Vec<Owned>,
    /// `a=1&b=2`: what every call gets.
    always: Zeroizing<Vec<u8>>,
    /// What not every call gets, or not with the same value.
    others: Vec<Pair>,
}

struct Pair {
    name: Box<str>,
    if_absent: bool,
    text: Text,
}

enum Text {
    /// `c=3`.
    Whole(Zeroizing<Vec<u8>>),
    /// The value alone, not encoded.
    Varying(Varying),
}

struct Owned {
    name: Box<str>,
    on_conflict: OnConflict,
}

/// The caller sent a parameter that the collection sets with
/// [`OnConflict::Reject`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conflict<'a> {
    /// The parameter's name, not encoded.
    pub name: &'a str,
}

impl CompiledQuery {
    /// Encodes names and values: all but the unreserved characters of RFC 3986.
    pub fn compile(query: &[Placed]) -> Self {
        let mut compiled = Self::default();
        let always: Vec<_> = query
            .iter()
            .filter(|placed| placed.on_conflict != OnConflict::IfAbsent)
            .filter_map(|placed| Some(pair(&placed.name, placed.value.fixed()?)))
            .collect();
        // Room for all at once: growing would leave copies of secrets behind.
        let length = always.iter().map(|pair| pair.len() + 1).sum();
        compiled.always = Zeroizing::new(Vec::with_capacity(length));
        for pair in always {
            if !compiled.always.is_empty() {
                compiled.always.push(b'&');
            }
            compiled.always.extend_from_slice(&pair);
        }
        for placed in query {
            compiled.owned.push(Owned {
                name: placed.name.as_str().into(),
                on_conflict: placed.on_conflict,
            });
            let if_absent = placed.on_conflict == OnConflict::IfAbsent;
            let text = match &placed.value {
                Value::Fixed(_) if !if_absent => continue,
                Value::Fixed(secret) => Text::Whole(pair(&placed.name, secret.expose())),
                Value::Varying(varying) => Text::Varying(varying.clone()),
            };
            compiled.others.push(Pair {
                name: placed.name.as_str().into(),
                if_absent,
                text,
            });
        }
        compiled
    }

    /// Appends the query to send to `out`, beginning with its `?`, if there is
    /// one at all. `sent` is what followed `?` in the caller's target, as it
    /// came; `None` where there was no `?`.
    ///
    /// Costs no allocation but what `out` needs, and looks at `moment` only for
    /// values that vary.
    ///
    /// # Errors
    /// [`Conflict`]: the call is to be refused, and `out` holds half a query.
    pub fn write(
        &self,
        sent: Option<&[u8]>,
        moment: &impl Deref<Target = Moment>,
        out: &mut Vec<u8>,
    ) -> Result<(), Conflict<'_>> {
        let start = out.len();
        out.push(b'?');
        match sent {
            Some(sent) if self.owned.is_empty() => out.extend_from_slice(sent),
            Some(sent) => self.copy(sent, out)?,
            None => {}
        }
        for ours in &self.others {
            if ours.if_absent && sent.is_some_and(|sent| holds(sent, &ours.name)) {
                continue;
            }
            match &ours.text {
                Text::Whole(pair) => append(pair, start, out),
                Text::Varying(value) => {
                    append(&pair(&ours.name, &value.render(moment)), start, out);
                }
            }
        }
        if !self.always.is_empty() {
            append(&self.always, start, out);
        }
        if sent.is_none() && out.len() == start + 1 {
            out.truncate(start);
        }
        Ok(())
    }

    /// Copies what is not the collection's to replace.
    fn copy(&self, sent: &[u8], out: &mut Vec<u8>) -> Result<(), Conflict<'_>> {
        let mut first = true;
        for parameter in parameters(sent) {
            match self.owner(parameter) {
                Some(owned) if owned.on_conflict == OnConflict::Replace => continue,
                Some(owned) if owned.on_conflict == OnConflict::Reject => {
                    return Err(Conflict { name: &owned.name });
                }
                Some(_) | None => {}
            }
            if !first {
                out.push(b'&');
            }
            out.extend_from_slice(parameter);
            first = false;
        }
        Ok(())
    }

    /// Appends `query`, which has no `?`, without any parameter of a name that
    /// the collection sets: for what a provider repeats in a redirect, where
    /// the caller would see the values.
    pub fn write_others(&self, query: &[u8], out: &mut Vec<u8>) {
        let mut first = true;
        for parameter in parameters(query).filter(|each| self.owner(each).is_none()) {
            if !first {
                out.push(b'&');
            }
            out.extend_from_slice(parameter);
            first = false;
        }
    }

    fn owner(&self, parameter: &[u8]) -> Option<&Owned> {
        self.owned
            .iter()
            .find(|owned| is_named(parameter, owned.name.as_bytes()))
    }
}

impl fmt::Debug for CompiledQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.owned.iter().map(|owned| &owned.name))
            .finish()
    }
}

fn pair(name: &str, value: &str) -> Zeroizing<Vec<u8>> {
    let name = utf8_percent_encode(name, UNRESERVED);
    let value = utf8_percent_encode(value, UNRESERVED);
    let length = |parts: percent_encoding::PercentEncode<'_>| parts.map(str::len).sum::<usize>();
    let mut pair = Vec::with_capacity(length(name.clone()) + 1 + length(value.clone()));
    name.for_each(|part| pair.extend_from_slice(part.as_bytes()));
    pair.push(b'=');
    value.for_each(|part| pair.extend_from_slice(part.as_bytes()));
    Zeroizing::new(pair)
}

fn append(pair: &[u8], start: usize, out: &mut Vec<u8>) {
    if out.len() > start + 1 {
        out.push(b'&');
    }
    out.extend_from_slice(pair);
}

fn parameters(query: &[u8]) -> impl Iterator<Item = &[u8]> {
    query.split(|byte| *byte == b'&')
}

/// Whether a query or a form has a parameter of this name, however spelled.
pub fn holds(query: &[u8], name: &str) -> bool {
    parameters(query).any(|parameter| is_named(parameter, name.as_bytes()))
}

/// Whether a parameter has this name in any spelling that a server could read
/// as such: percent-encoded, and with `+` for a space or for itself.
fn is_named(parameter: &[u8], name: &[u8]) -> bool {
    let mut rest = parameter;
    for expected in name {
        let (matches, length) = match rest {
            [b'%', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                (hex(*high) << 4 | hex(*low) == *expected, 3)
            }
            [b'+', ..] => (matches!(expected, b' ' | b'+'), 1),
            [b'=', ..] | [] => (false, 0),
            [byte, ..] => (byte == expected, 1),
        };
        if !matches {
            return false;
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    matches!(rest, [] | [b'=', ..])
}

/// The value of a hexadecimal digit.
fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secret;

    const MOMENT: Moment = Moment {
        unix_seconds: 1_795_294_800,
        random: [0; 16],
    };

    fn placed(name: &str, value: &str, on_conflict: OnConflict) -> Placed {
        Placed {
            name: name.to_owned(),
            value: Secret::new(value).into(),
            private: true,
            on_conflict,
        }
    }

    fn written(query: &CompiledQuery, sent: Option<&str>) -> String {
        let mut out = b"/path".to_vec();
        query
            .write(sent.map(str::as_bytes), &&MOMENT, &mut out)
            .unwrap();
        String::from_utf8(out).unwrap()
    }

    fn key(on_conflict: OnConflict) -> CompiledQuery {
        CompiledQuery::compile(&[placed("api_key", "k/1", on_conflict)])
    }

    #[test]
    fn a_collection_without_parameters_changes_nothing() {
        let query = CompiledQuery::compile(&[]);
        assert_eq!(written(&query, None), "/path");
        for sent in ["", "&", "a=1&a=1", "a=%2f+;b&&", "?"] {
            assert_eq!(written(&query, Some(sent)), format!("/path?{sent}"));
        }
    }

    #[test]
    fn ours_replace_all_of_the_callers_and_nothing_else() {
        for (sent, expected) in [
            (None, "?api_key=k%2F1"),
            (Some(""), "?api_key=k%2F1"),
            (Some("api_key=x"), "?api_key=k%2F1"),
            (Some("a=1"), "?a=1&api_key=k%2F1"),
            (Some("api_key=x&a=1&api_key"), "?a=1&api_key=k%2F1"),
            (Some("a=1&api%5Fkey=x&b=2"), "?a=1&b=2&api_key=k%2F1"),
            (Some("a=1&&%61pi%5fkey=x&"), "?a=1&&&api_key=k%2F1"),
            (Some("API_KEY=x"), "?API_KEY=x&api_key=k%2F1"),
            (
                Some("api_keys=x&xapi_key=y"),
                "?api_keys=x&xapi_key=y&api_key=k%2F1",
            ),
            (Some("a=api_key=x"), "?a=api_key=x&api_key=k%2F1"),
            (Some("api_key%=x"), "?api_key%=x&api_key=k%2F1"),
        ] {
            let query = key(OnConflict::Replace);
            assert_eq!(
                written(&query, sent),
                format!("/path{expected}"),
                "{sent:?}"
            );
        }
    }

    #[test]
    fn a_default_gives_way_to_the_callers_own() {
        let query = key(OnConflict::IfAbsent);
        assert_eq!(written(&query, Some("a=1")), "/path?a=1&api_key=k%2F1");
        assert_eq!(
            written(&query, Some("api%5fkey=x&a")),
            "/path?api%5fkey=x&a"
        );
        assert_eq!(written(&query, None), "/path?api_key=k%2F1");
    }

    #[test]
    fn a_conflict_is_refused_by_name() {
        let query = key(OnConflict::Reject);
        let sent = Some(b"a=1&%61pi_key".as_slice());
        let conflict = query.write(sent, &&MOMENT, &mut Vec::new());
        assert_eq!(conflict, Err(Conflict { name: "api_key" }));
        assert_eq!(written(&query, Some("a=1")), "/path?a=1&api_key=k%2F1");
    }

    #[test]
    fn a_space_in_a_name_is_found_in_every_spelling() {
        let query = CompiledQuery::compile(&[placed("a b+", "\u{e9} &", OnConflict::Replace)]);
        for sent in ["a+b%2B=1", "a%20b+=1", "a b%2b"] {
            assert_eq!(
                written(&query, Some(sent)),
                "/path?a%20b%2B=%C3%A9%20%26",
                "{sent}"
            );
        }
    }

    #[test]
    fn what_the_collection_sets_is_left_out_of_what_a_provider_repeats() {
        let query = CompiledQuery::compile(&[
            placed("v", "1", OnConflict::IfAbsent),
            placed("k", "2", OnConflict::Replace),
            placed("t", "3", OnConflict::Reject),
        ]);
        for (repeated, left) in [
            ("v=1&k=2&t=3", ""),
            ("a=1&%6b=2&b", "a=1&b"),
            ("k=2", ""),
            ("", ""),
            ("kk=%2f", "kk=%2f"),
            ("&a&&k=2&", "&a&&"),
        ] {
            let mut out = Vec::new();
            query.write_others(repeated.as_bytes(), &mut out);
            assert_eq!(out, left.as_bytes(), "{repeated}");
        }
    }

    #[test]
    fn several_parameters_keep_their_order() {
        let query = CompiledQuery::compile(&[
            placed("v", "1", OnConflict::IfAbsent),
            placed("k", "2", OnConflict::Replace),
            placed("t", "3", OnConflict::Reject),
        ]);
        assert_eq!(written(&query, Some("k=x")), "/path?v=1&k=2&t=3");
        assert_eq!(written(&query, Some("v=x")), "/path?v=x&k=2&t=3");
    }

    #[test]
    fn a_value_that_varies_is_rendered_and_encoded_for_each_call() {
        let varying = |on_conflict| {
            CompiledQuery::compile(&[
                Placed {
                    value: Value::Varying(
                        serde_json::from_str(r#"[{"text": "at "}, {"variable": "nowUnix"}]"#)
                            .unwrap(),
                    ),
                    ..placed("t", "", on_conflict)
                },
                placed("k", "v", OnConflict::Replace),
            ])
        };
        let query = varying(OnConflict::Replace);
        assert_eq!(
            written(&query, Some("t=0&a")),
            "/path?a&t=at%201795294800&k=v"
        );
        let query = varying(OnConflict::IfAbsent);
        assert_eq!(written(&query, Some("t=0&a")), "/path?t=0&a&k=v");
        assert_eq!(written(&query, None), "/path?t=at%201795294800&k=v");
    }

    #[test]
    fn debug_shows_names_only() {
        assert_eq!(format!("{:?}", key(OnConflict::Replace)), "[\"api_key\"]");
    }

    /// For thousands of odd queries: exactly the owned parameters are gone, and
    /// the rest is there byte for byte.
    #[test]
    fn what_is_not_owned_survives_untouched() {
        const PIECES: [&str; 12] = [
            "k", "%6b", "%6B", "=", "&", "&", "a", "+", "%", "%4", ";", "k=",
        ];
        let query = CompiledQuery::compile(&[placed("k", "v", OnConflict::Replace)]);
        let mut state = 1_u64;
        for _ in 0..5000 {
            let mut sent = String::new();
            for _ in 0..9 {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                let index = usize::try_from(state >> 33).unwrap() % PIECES.len();
                sent.push_str(PIECES[index]);
            }
            let others: Vec<&str> = sent
                .split('&')
                .filter(|parameter| {
                    let name = parameter.split('=').next().unwrap();
                    name.replace("%6b", "k").replace("%6B", "k") != "k"
                })
                .collect();
            let others = others.join("&");
            let separator = if others.is_empty() { "" } else { "&" };
            let expected = format!("/path?{others}{separator}k=v");
            assert_eq!(written(&query, Some(&sent)), expected, "{sent}");
        }
    }
}
