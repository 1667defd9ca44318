//! What a collection sets in Cookie.
//!
//! A caller's field is not parsed beyond the semicolons between its pairs (RFC
//! 6265 §4.2.1): what is the collection's is cut out, and the rest goes as it
//! came, odd values and `$Version` included. It goes behind the collection's:
//! where quotes may hold semicolons (RFC 2109 §4.1), a quote that the caller
//! opens would make what follows a part of his own cookie's value, which a
//! server may well show to him.

use std::fmt;
use std::ops::Deref;

use credence_core::bundle::{OnConflict, Placed, Value};
use credence_core::template::{Moment, Varying};
use zeroize::Zeroizing;

use super::{Unplaceable, is_control, is_token, is_token_byte, sample};
use crate::http1::Field;

/// The cookies of a collection, rendered. Its `Debug` shows names only.
#[derive(Default)]
pub(crate) struct CookiePlan(Vec<Cookie>);

struct Cookie {
    name: Box<str>,
    on_conflict: OnConflict,
    pair: Pair,
}

enum Pair {
    /// `name=value`.
    Whole(Zeroizing<Vec<u8>>),
    /// The value alone.
    Varying(Varying),
}

impl CookiePlan {
    /// # Errors
    /// [`Unplaceable`], about the first cookie that is.
    pub(crate) fn compile(cookies: &[Placed]) -> Result<Self, Unplaceable> {
        let compiled = cookies.iter().map(|placed| {
            if !is_token(&placed.name) {
                return Err(Unplaceable::Cookie);
            }
            let forbidden = |byte| byte == b';' || is_control(byte);
            if sample(&placed.value).bytes().any(forbidden) {
                return Err(Unplaceable::CookieValue(placed.name.clone()));
            }
            Ok(Cookie {
                name: placed.name.as_str().into(),
                on_conflict: placed.on_conflict,
                pair: match &placed.value {
                    Value::Fixed(value) => Pair::Whole(pair(&placed.name, value.expose())),
                    Value::Varying(varying) => Pair::Varying(varying.clone()),
                },
            })
        });
        Ok(Self(compiled.collect::<Result<_, _>>()?))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a provider's Set-Cookie is about a cookie that the collection
    /// sets: servers repeat a session's cookie to make it last, and the caller
    /// would see it. Where he may have one of his own, only the collection's
    /// value is meant.
    pub(crate) fn is_told_by(&self, set_cookie: &[u8]) -> bool {
        let end = set_cookie.iter().position(|byte| *byte == b';');
        let sent = &set_cookie[..end.unwrap_or(set_cookie.len())];
        self.owner(sent)
            .is_some_and(|ours| match (ours.on_conflict, &ours.pair) {
                (OnConflict::IfAbsent, Pair::Whole(pair)) => sent.trim_ascii() == pair.as_slice(),
                (OnConflict::IfAbsent, Pair::Varying(_)) => false,
                (OnConflict::Replace | OnConflict::Reject, _) => true,
            })
    }

    /// Appends what is left of a caller's value, behind what is there after
    /// `start`; says the name of a pair that the collection refuses.
    pub(crate) fn write_others<'a>(
        &'a self,
        sent: &[u8],
        start: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), &'a str> {
        let before = out.len();
        if before > start {
            out.extend_from_slice(b"; ");
        }
        let begin = out.len();
        let mut first = true;
        let mut cut = false;
        for piece in sent.split(|byte| *byte == b';') {
            match self.owner(piece) {
                Some(ours) if ours.on_conflict == OnConflict::Replace => cut = true,
                Some(ours) if ours.on_conflict == OnConflict::Reject => return Err(&ours.name),
                Some(_) | None => {
                    match (first, cut) {
                        (false, _) => {
                            out.push(b';');
                            out.extend_from_slice(piece);
                        }
                        // The space was behind the semicolon that is gone.
                        (true, true) => out.extend_from_slice(piece.trim_ascii_start()),
                        (true, false) => out.extend_from_slice(piece),
                    }
                    first = false;
                }
            }
        }
        if out.len() == begin {
            out.truncate(before);
        }
        Ok(())
    }

    /// Appends the collection's pairs. `sent` are the values of all Cookie
    /// fields of the caller that are passed on.
    pub(crate) fn write<'b>(
        &self,
        sent: &(impl Iterator<Item = &'b [u8]> + Clone),
        moment: &impl Deref<Target = Moment>,
        out: &mut Vec<u8>,
    ) {
        let start = out.len();
        for ours in &self.0 {
            let named = |value: &[u8]| holds(value, &ours.name);
            if ours.on_conflict == OnConflict::IfAbsent && sent.clone().any(named) {
                continue;
            }
            if out.len() > start {
                out.extend_from_slice(b"; ");
            }
            match &ours.pair {
                Pair::Whole(pair) => out.extend_from_slice(pair),
                Pair::Varying(value) => {
                    out.extend_from_slice(&pair(&ours.name, &value.render(moment)));
                }
            }
        }
    }

    fn owner(&self, piece: &[u8]) -> Option<&Cookie> {
        self.0
            .iter()
            .find(|ours| ours.name.as_bytes() == name(piece))
    }
}

/// Whether the value of a Cookie field has a pair of this name.
pub(super) fn holds(value: &[u8], wanted: &str) -> bool {
    let mut pieces = value.split(|byte| *byte == b';');
    pieces.any(|piece| name(piece) == wanted.as_bytes())
}

/// Whether this is a field of cookies.
pub(crate) fn is_cookie(field: &Field<'_>) -> bool {
    field.name.eq_ignore_ascii_case("cookie")
}

/// Without what no name begins or ends with (RFC 6265 §4.1.1): servers trim
/// different things, quotes and the no-break space of Latin-1 among them.
fn name(piece: &[u8]) -> &[u8] {
    let end = piece.iter().position(|byte| *byte == b'=');
    let mut name = &piece[..end.unwrap_or(piece.len())];
    while let [first, rest @ ..] = name
        && !is_token_byte(*first)
    {
        name = rest;
    }
    while let [rest @ .., last] = name
        && !is_token_byte(*last)
    {
        name = rest;
    }
    name
}

fn pair(name: &str, value: &str) -> Zeroizing<Vec<u8>> {
    let mut pair = Zeroizing::new(Vec::with_capacity(name.len() + 1 + value.len()));
    pair.extend_from_slice(name.as_bytes());
    pair.push(b'=');
    pair.extend_from_slice(value.as_bytes());
    pair
}

impl fmt::Debug for CookiePlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|cookie| &cookie.name))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use credence_core::Secret;

    use super::*;

    const MOMENT: Moment = Moment {
        unix_seconds: 7,
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

    fn written(plan: &CookiePlan, sent: &str) -> String {
        let mut out = b"Cookie: ".to_vec();
        let start = out.len();
        plan.write(&std::iter::once(sent.as_bytes()), &&MOMENT, &mut out);
        plan.write_others(sent.as_bytes(), start, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_callers_pair_of_that_name_is_cut_out_and_no_other_byte_is_touched() {
        let plan = CookiePlan::compile(&[placed("sid", "k", OnConflict::Replace)]).unwrap();
        for (sent, expected) in [
            ("", "sid=k"),
            ("sid=x", "sid=k"),
            ("a=1", "sid=k; a=1"),
            ("a=1; sid=x; b=2", "sid=k; a=1; b=2"),
            ("sid=x; a=1", "sid=k; a=1"),
            ("sid=x;", "sid=k"),
            ("a=1;sid=x;;b = 2 ;c", "sid=k; a=1;;b = 2 ;c"),
            (" sid = x ; sid", "sid=k"),
            ("SID=x; sid2=y; xsid=z", "sid=k; SID=x; sid2=y; xsid=z"),
            (
                "$Version=1; a=\"sid\"; $Path=/",
                "sid=k; $Version=1; a=\"sid\"; $Path=/",
            ),
            ("a=b=sid=c", "sid=k; a=b=sid=c"),
            (";;a", "sid=k; ;;a"),
            // Nothing of ours can come to stand within the caller's quotes.
            ("$Version=1; a=\"1", "sid=k; $Version=1; a=\"1"),
            ("\u{a0}sid\u{a0}=x; \"sid\"=x; a", "sid=k; a"),
        ] {
            assert_eq!(
                written(&plan, sent),
                format!("Cookie: {expected}"),
                "{sent:?}"
            );
        }
    }

    #[test]
    fn the_callers_own_wins_or_is_refused_where_the_collection_says_so() {
        let plan = CookiePlan::compile(&[
            placed("a", "1", OnConflict::IfAbsent),
            placed("b", "2", OnConflict::Reject),
        ])
        .unwrap();
        assert_eq!(written(&plan, "a=x"), "Cookie: b=2; a=x");
        assert_eq!(written(&plan, "c=x"), "Cookie: a=1; b=2; c=x");
        assert_eq!(plan.write_others(b"c; b=x", 0, &mut Vec::new()), Err("b"));
    }

    #[test]
    fn a_providers_cookie_of_a_name_that_is_set_tells_it() {
        let plan = CookiePlan::compile(&[
            placed("sid", "k", OnConflict::Replace),
            placed("lang", "en", OnConflict::IfAbsent),
        ])
        .unwrap();
        for (set_cookie, told) in [
            ("sid=k; Path=/; HttpOnly", true),
            (" sid = other", true),
            ("sid=; Max-Age=0", true),
            ("lang=en; Path=/", true),
            ("lang=de", false),
            ("other=k; sid=k", false),
            ("SID=k", false),
            ("", false),
        ] {
            assert_eq!(plan.is_told_by(set_cookie.as_bytes()), told, "{set_cookie}");
        }
    }

    #[test]
    fn a_value_that_varies_is_rendered_for_each_call() {
        let plan = CookiePlan::compile(&[Placed {
            value: Value::Varying(
                serde_json::from_str(r#"[{"text": "t"}, {"variable": "nowUnix"}]"#).unwrap(),
            ),
            ..placed("at", "", OnConflict::Replace)
        }])
        .unwrap();
        assert_eq!(written(&plan, "at=x"), "Cookie: at=t7");
    }

    #[test]
    fn what_would_be_another_cookie_is_refused() {
        let refused = |name: &str, value: &str| {
            CookiePlan::compile(&[placed(name, value, OnConflict::Replace)]).unwrap_err()
        };
        for name in ["", "a b", "a=b", "a;b", "\u{e9}"] {
            assert_eq!(refused(name, "v"), Unplaceable::Cookie);
        }
        for value in ["a; b=c", "a\r\nb"] {
            assert_eq!(
                refused("a", value),
                Unplaceable::CookieValue("a".to_owned())
            );
        }
    }
}
