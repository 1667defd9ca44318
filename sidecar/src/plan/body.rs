//! What a collection sets in the body: top-level members of a JSON object
//! (RFC 8259 §4), or fields of a form.

use std::fmt;
use std::ops::Deref;

use credence_core::bundle::{OnConflict, Placed, Value};
use credence_core::placement::{self, CompiledQuery};
use credence_core::template::{Moment, Varying};
use zeroize::Zeroizing;

use super::Unplaceable;
use super::json::{self, Edit};
use crate::http1::{Field, field};

/// The members of a collection, rendered. Its `Debug` shows names only.
#[derive(Default)]
pub(crate) struct BodyPlan {
    members: Vec<Member>,
    /// The same as fields: a form is written as a query is.
    form: CompiledQuery,
}

struct Member {
    name: Box<str>,
    on_conflict: OnConflict,
    literal: Literal,
}

enum Literal {
    /// `"value"`.
    Whole(Zeroizing<String>),
    /// The value alone.
    Varying(Varying),
}

/// How a body holds its members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// `application/json`, `application/anything+json`.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
}

/// Why nothing can be set in a body. The texts are for the app's developer,
/// and hold nothing of the body.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unwritable {
    #[error("the request has no body")]
    NoBody,
    #[error("the request has no Content-Type, or more than one")]
    NoType,
    #[error("its Content-Type is neither JSON nor application/x-www-form-urlencoded")]
    OtherType,
    #[error("it has a Content-Encoding")]
    Encoded,
    #[error("its Content-Type names a charset in which other bytes may be its names: use UTF-8")]
    Charset,
    #[error("it is not valid JSON")]
    NotJson,
    #[error("its JSON is not an object")]
    NotAnObject,
    #[error("it holds {0} already, which the collection reserves for itself")]
    Conflict(String),
}

impl BodyPlan {
    /// # Errors
    /// [`Unplaceable::Member`].
    pub(crate) fn compile(body: &[Placed]) -> Result<Self, Unplaceable> {
        if body.iter().any(|placed| placed.name.is_empty()) {
            return Err(Unplaceable::Member);
        }
        let member = |placed: &Placed| Member {
            name: placed.name.as_str().into(),
            on_conflict: placed.on_conflict,
            literal: match &placed.value {
                Value::Fixed(value) => Literal::Whole(json::literal(value.expose())),
                Value::Varying(varying) => Literal::Varying(varying.clone()),
            },
        };
        Ok(Self {
            members: body.iter().map(member).collect(),
            form: CompiledQuery::compile(body),
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Appends the body with the collection's members in it. Every other byte
    /// is as it was.
    ///
    /// # Errors
    /// [`Unwritable`]; `out` may hold a part of it.
    pub(crate) fn write(
        &self,
        format: Format,
        body: &[u8],
        moment: &impl Deref<Target = Moment>,
        out: &mut Vec<u8>,
    ) -> Result<(), Unwritable> {
        match format {
            Format::Json => self.write_json(body, moment, out),
            Format::Form => {
                let mut query = Zeroizing::new(Vec::with_capacity(body.len() + 256));
                self.form
                    .write(Some(body), moment, &mut query)
                    .map_err(|conflict| Unwritable::Conflict(conflict.name.to_owned()))?;
                // Without its question mark.
                out.extend_from_slice(query.get(1..).unwrap_or_default());
                Ok(())
            }
        }
    }

    fn write_json(
        &self,
        body: &[u8],
        moment: &impl Deref<Target = Moment>,
        out: &mut Vec<u8>,
    ) -> Result<(), Unwritable> {
        let names: Vec<&str> = self.members.iter().map(|member| &*member.name).collect();
        let object = json::Object::parse(body, &names)?;
        let mut edits = Vec::new();
        for (index, ours) in self.members.iter().enumerate() {
            match (ours.on_conflict, object.of(index).next()) {
                (OnConflict::IfAbsent, Some(_)) => continue,
                (OnConflict::Reject, Some(_)) => {
                    return Err(Unwritable::Conflict(ours.name.to_string()));
                }
                _ => {}
            }
            let literal = match &ours.literal {
                Literal::Whole(literal) => literal.clone(),
                Literal::Varying(value) => json::literal(&value.render(moment)),
            };
            let theirs = object.of(index);
            let (eclipsed, rest): (Vec<_>, Vec<_>) =
                theirs.partition(|member| object.is_eclipsed(member));
            edits.extend(eclipsed.into_iter().map(Edit::cut));
            let mut rest = rest.into_iter();
            match rest.next() {
                Some(member) => edits.push(Edit::replace(member, literal)),
                None => edits.push(object.append(&ours.name, &literal, &edits)),
            }
            edits.extend(rest.map(Edit::cut));
        }
        object.close_gap(body, &mut edits);
        json::apply(body, edits, out);
        Ok(())
    }
}

/// Whether a body has a member of this name.
pub(super) fn holds(format: Format, body: &[u8], name: &str) -> bool {
    match format {
        Format::Json => {
            json::Object::parse(body, &[name]).is_ok_and(|object| object.of(0).next().is_some())
        }
        Format::Form => placement::holds(body, name),
    }
}

impl Format {
    /// The format of a body, by the fields of its head.
    ///
    /// # Errors
    /// [`Unwritable`], where nothing can be set in such a body.
    pub(crate) fn of(fields: &[Field<'_>]) -> Result<Self, Unwritable> {
        let values = |name: &'static str| {
            fields
                .iter()
                .filter(move |field| field.name.eq_ignore_ascii_case(name))
                .map(|field| field.value)
        };
        let plain = |coding: &[u8]| coding.eq_ignore_ascii_case(b"identity");
        if !values("content-encoding")
            .flat_map(field::members)
            .all(plain)
        {
            return Err(Unwritable::Encoded);
        }
        let mut types = values("content-type");
        let (Some(content_type), None) = (types.next(), types.next()) else {
            return Err(Unwritable::NoType);
        };
        let end = content_type.iter().position(|byte| *byte == b';');
        let essence = content_type[..end.unwrap_or(content_type.len())].trim_ascii();
        let essence = essence.to_ascii_lowercase();
        let format = if essence == b"application/json" || essence.ends_with(b"+json") {
            Self::Json
        } else if essence == b"application/x-www-form-urlencoded" {
            Self::Form
        } else {
            return Err(Unwritable::OtherType);
        };
        let mut parameters = content_type.split(|byte| *byte == b';').skip(1);
        match parameters.all(keeps_ascii) {
            true => Ok(format),
            false => Err(Unwritable::Charset),
        }
    }
}

/// Whether a parameter of a type is no charset, or one in which names of ASCII
/// are the bytes that they are here. A server that is told to read a body as
/// UTF-7 or UTF-16 sees other names in it than are looked for.
fn keeps_ascii(parameter: &[u8]) -> bool {
    const WHOLE: [&[u8]; 6] = [
        b"utf-8",
        b"utf8",
        b"us-ascii",
        b"ascii",
        b"shift_jis",
        b"big5",
    ];
    const FAMILIES: [&[u8]; 5] = [b"iso-8859-", b"windows-125", b"gb", b"euc-", b"koi8-"];
    let parameter = parameter.trim_ascii().to_ascii_lowercase();
    let Some(rest) = parameter.strip_prefix(b"charset") else {
        return true;
    };
    let Some(value) = rest.trim_ascii().strip_prefix(b"=") else {
        return false;
    };
    let value = value.trim_ascii();
    let quoted = value
        .strip_prefix(b"\"")
        .and_then(|rest| rest.strip_suffix(b"\""));
    let value = quoted.unwrap_or(value);
    WHOLE.contains(&value) || FAMILIES.iter().any(|family| value.starts_with(family))
}

/// Whether a field says something about the bytes of a body that is no longer
/// true of a body that was changed (RFC 1864, RFC 3230, RFC 9530).
pub(crate) fn is_digest(field: &Field<'_>) -> bool {
    ["content-md5", "digest", "content-digest", "repr-digest"]
        .iter()
        .any(|name| name.eq_ignore_ascii_case(field.name))
}

impl fmt::Debug for BodyPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.members.iter().map(|member| &member.name))
            .finish()
    }
}

#[cfg(test)]
mod tests;
