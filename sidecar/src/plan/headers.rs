//! What a collection sets in the head.

use std::fmt;
use std::ops::Deref;

use credence_core::bundle::{OnConflict, Placed, Value};
use credence_core::template::{Moment, Varying};
use zeroize::Zeroizing;

use super::{Unplaceable, is_control, is_token, sample};
use crate::http1::{Known, field};

/// The headers of a collection, rendered. Its `Debug` shows names only.
pub(crate) struct HeaderPlan {
    owned: Vec<Owned>,
    /// Bit n is set when an owned name has n letters; long ones share a bit.
    lengths: u64,
    /// The lines that are the same on every call.
    always: Zeroizing<Vec<u8>>,
    /// The lines that not every call gets, or not with the same value.
    others: Vec<Line>,
}

struct Owned {
    name: Box<str>,
    on_conflict: OnConflict,
}

struct Line {
    name: Box<str>,
    if_absent: bool,
    text: Text,
}

enum Text {
    /// `Name: value` with its end.
    Whole(Zeroizing<Vec<u8>>),
    /// The value alone.
    Varying(Varying),
}

impl HeaderPlan {
    /// # Errors
    /// [`Unplaceable`], about the first header that is.
    pub(crate) fn compile(headers: &[Placed]) -> Result<Self, Unplaceable> {
        for header in headers {
            check(header)?;
        }
        let fixed = |header: &Placed| {
            let always = header.on_conflict != OnConflict::IfAbsent;
            always.then(|| header.value.fixed().map(|value| line(&header.name, value)))?
        };
        let lines: Vec<_> = headers.iter().filter_map(fixed).collect();
        // Room for all at once: growing would leave copies of secrets behind.
        let mut always = Zeroizing::new(Vec::with_capacity(lines.iter().map(|l| l.len()).sum()));
        lines.iter().for_each(|line| always.extend_from_slice(line));
        let other = |header: &Placed| {
            let if_absent = header.on_conflict == OnConflict::IfAbsent;
            let text = match &header.value {
                Value::Fixed(_) if !if_absent => return None,
                Value::Fixed(value) => Text::Whole(line(&header.name, value.expose())),
                Value::Varying(varying) => Text::Varying(varying.clone()),
            };
            Some(Line {
                name: header.name.as_str().into(),
                if_absent,
                text,
            })
        };
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
            others: headers.iter().filter_map(other).collect(),
        })
    }

    /// The same plan, by which the caller's fields of these names are left out,
    /// too: somebody else sets them.
    pub(crate) fn leaving_out(mut self, names: &[&str]) -> Self {
        for name in names {
            self.lengths |= length_bit(name);
            self.owned.push(Owned {
                name: (*name).into(),
                on_conflict: OnConflict::Replace,
            });
        }
        self
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
    pub(crate) fn write(
        &self,
        has: impl Fn(&str) -> bool,
        moment: &impl Deref<Target = Moment>,
        out: &mut Vec<u8>,
    ) {
        for ours in &self.others {
            if ours.if_absent && has(&ours.name) {
                continue;
            }
            match &ours.text {
                Text::Whole(line) => out.extend_from_slice(line),
                Text::Varying(value) => {
                    field::write(&ours.name, value.render(moment).as_bytes(), out);
                }
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
/// from `-`, some of them no punctuation at all, and would see the caller's
/// beside ours.
fn is_same(ours: &[u8], sent: &[u8]) -> bool {
    let fold = |byte: &u8| match byte {
        byte if byte.is_ascii_alphanumeric() => byte.to_ascii_lowercase(),
        _ => b'-',
    };
    ours.len() == sent.len() && ours.iter().map(fold).eq(sent.iter().map(fold))
}

fn check(header: &Placed) -> Result<(), Unplaceable> {
    let name = &header.name;
    if !is_token(name) {
        return Err(Unplaceable::Header);
    }
    if Known::of(name).is_some_and(Known::is_ours) {
        return Err(Unplaceable::Reserved(name.clone()));
    }
    if sample(&header.value).bytes().any(is_control) {
        return Err(Unplaceable::HeaderValue(name.clone()));
    }
    Ok(())
}

fn line(name: &str, value: &str) -> Zeroizing<Vec<u8>> {
    let length = name.len() + ": \r\n".len() + value.len();
    let mut line = Zeroizing::new(Vec::with_capacity(length));
    field::write(name, value.as_bytes(), &mut line);
    line
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
            private: true,
            on_conflict,
        }
    }

    fn written(plan: &HeaderPlan, sent: &[&str]) -> String {
        let mut out = Vec::new();
        let moment = &Moment {
            unix_seconds: 7,
            random: [0; 16],
        };
        plan.write(|name| sent.contains(&name), &moment, &mut out);
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
        assert_eq!(plan.on_conflict("X_Team"), Some(OnConflict::Reject));
        assert_eq!(plan.on_conflict("X.Team"), Some(OnConflict::Reject));
        assert_eq!(plan.on_conflict("Authorisation"), None);
        assert_eq!(plan.on_conflict("Accept"), None);
    }

    #[test]
    fn names_that_somebody_else_sets_are_owned_and_not_written() {
        let plan = HeaderPlan::compile(&[placed("B", "2", OnConflict::Replace)]).unwrap();
        let plan = plan.leaving_out(&["X-Amz-Date"]);
        assert_eq!(plan.on_conflict("x-amz-date"), Some(OnConflict::Replace));
        assert_eq!(plan.on_conflict("X_Amz_Date"), Some(OnConflict::Replace));
        assert_eq!(plan.on_conflict("X-Amz-Acl"), None);
        assert_eq!(written(&plan, &[]), "B: 2\r\n");
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
    fn a_value_that_varies_is_rendered_for_each_call() {
        let varying = |on_conflict| Placed {
            value: Value::Varying(
                serde_json::from_str(r#"[{"text": "t"}, {"variable": "nowUnix"}]"#).unwrap(),
            ),
            ..placed("X-At", "", on_conflict)
        };
        let plan = HeaderPlan::compile(&[
            varying(OnConflict::Replace),
            placed("B", "2", OnConflict::Replace),
        ])
        .unwrap();
        assert_eq!(plan.on_conflict("x-at"), Some(OnConflict::Replace));
        assert_eq!(written(&plan, &["X-At"]), "X-At: t7\r\nB: 2\r\n");
        let plan = HeaderPlan::compile(&[varying(OnConflict::IfAbsent)]).unwrap();
        assert_eq!(written(&plan, &["X-At"]), "");
    }

    #[test]
    fn what_would_break_a_head_is_refused() {
        let refused = |name: &str, value: &str| {
            HeaderPlan::compile(&[placed(name, value, OnConflict::Replace)]).unwrap_err()
        };
        for name in ["", "A B", "A:", "\u{e9}", "A\r\nB"] {
            assert_eq!(refused(name, "v"), Unplaceable::Header);
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
            assert_eq!(
                refused("A", value),
                Unplaceable::HeaderValue("A".to_owned())
            );
        }
    }

    #[test]
    fn debug_shows_names_only() {
        let plan = HeaderPlan::compile(&[placed("A", "sk_live_1", OnConflict::Replace)]);
        assert_eq!(format!("{:?}", plan.unwrap()), "[\"A\"]");
    }
}
