//! Everything that a collection puts on a call, in order.

use crate::bundle::OnConflict;
use crate::collection::{Collection, Field, Method, Place};
use crate::template::Template;

/// One header or parameter to be set.
pub(super) struct Placing<'a> {
    pub(super) place: Place,
    pub(super) name: &'a str,
    pub(super) on_conflict: OnConflict,
    pub(super) content: Content<'a>,
}

/// What it is set to.
pub(super) enum Content<'a> {
    Value(Source<'a>),
    Basic {
        username: Source<'a>,
        password: Source<'a>,
    },
}

/// A template, and where in the manifest it stands.
pub(super) struct Source<'a> {
    pub(super) field: String,
    pub(super) template: &'a Template,
}

impl<'a> Placing<'a> {
    pub(super) fn sources(&self) -> impl Iterator<Item = &Source<'a>> {
        let (first, second) = match &self.content {
            Content::Value(source) => (source, None),
            Content::Basic { username, password } => (username, Some(password)),
        };
        std::iter::once(first).chain(second)
    }
}

/// The collection's headers and parameters, and last those of its method, which
/// wins over others of the same name.
pub(super) fn placings(collection: &Collection) -> Vec<Placing<'_>> {
    let method = of_method(&collection.method);
    let own = |place: Place, name: &str| {
        method
            .as_ref()
            .is_some_and(|method| method.place == place && same_name(place, method.name, name))
    };
    let mut placings = Vec::new();
    for (place, list, path) in [
        (Place::Header, &collection.headers, "spec.headers"),
        (Place::Query, &collection.query, "spec.query"),
    ] {
        let kept = list
            .iter()
            .enumerate()
            .filter(|(_, field)| !own(place, &field.name));
        placings.extend(
            kept.map(|(index, field)| of_field(place, field, format!("{path}[{index}].value"))),
        );
    }
    placings.extend(method);
    placings
}

fn of_field(place: Place, field: &Field, path: String) -> Placing<'_> {
    Placing {
        place,
        name: &field.name,
        on_conflict: field.on_conflict,
        content: Content::Value(Source {
            field: path,
            template: &field.value,
        }),
    }
}

fn of_method(method: &Method) -> Option<Placing<'_>> {
    let (place, name, content) = match method {
        Method::None => return None,
        Method::ApiKey { place, name, value } => (
            *place,
            name.as_str(),
            Content::Value(Source {
                field: "spec.auth.apiKey.value".to_owned(),
                template: value,
            }),
        ),
        Method::Basic { username, password } => (
            Place::Header,
            "Authorization",
            Content::Basic {
                username: Source {
                    field: "spec.auth.basic.username".to_owned(),
                    template: username,
                },
                password: Source {
                    field: "spec.auth.basic.password".to_owned(),
                    template: password,
                },
            },
        ),
    };
    Some(Placing {
        place,
        name,
        // Whatever the caller sent in the credential's place is not the
        // credential.
        on_conflict: OnConflict::Replace,
        content,
    })
}

/// Header names are compared without regard to case (RFC 9110 §5.1), names of
/// query parameters as they are.
fn same_name(place: Place, a: &str, b: &str) -> bool {
    match place {
        Place::Header => a.eq_ignore_ascii_case(b),
        Place::Query => a == b,
    }
}
