//! Everything that a collection puts on a call, in order.

use super::{signing, token};
use crate::bundle::OnConflict;
use crate::collection::{Collection, Field, Method, Placement};
use crate::sigv4;
use crate::template::Template;

/// One value to be set.
pub(super) struct Placing<'a> {
    pub(super) placement: Placement,
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
    /// The token, with this before it.
    Token {
        prefix: &'a str,
    },
}

/// A template, and where in the manifest it stands.
#[derive(Clone)]
pub(super) struct Source<'a> {
    pub(super) field: String,
    pub(super) template: &'a Template,
}

impl<'a> Placing<'a> {
    pub(super) fn sources(&self) -> impl Iterator<Item = &Source<'a>> {
        let (first, second) = match &self.content {
            Content::Value(source) => (Some(source), None),
            Content::Basic { username, password } => (Some(username), Some(password)),
            Content::Token { .. } => (None, None),
        };
        first.into_iter().chain(second)
    }

    /// Whether something of the Secret or of a token is in it.
    pub(super) fn is_private(&self) -> bool {
        matches!(self.content, Content::Token { .. })
            || self.sources().any(|source| {
                source.template.refers_to_secret() || source.template.refers_to_token()
            })
    }

    /// Whether the method sets the same thing, and so wins.
    fn gives_way_to(&self, method: &Method, of_method: Option<&Placement>) -> bool {
        let signed = |name: &&str| {
            self.placement
                .is_same(&Placement::Header((*name).to_owned()))
        };
        of_method.is_some_and(|placement| placement.is_same(&self.placement))
            || (matches!(method, Method::AwsSigV4(_)) && sigv4::FIELDS.iter().any(signed))
    }
}

/// Every template of a collection that may refer to the Secret, in the order in
/// which they are rendered.
pub(super) fn sources(collection: &Collection) -> Vec<Source<'_>> {
    let placings = placings(collection);
    let placed = placings.iter().flat_map(Placing::sources).cloned();
    let signed = signing::sources(&collection.method);
    placed
        .chain(signed)
        .chain(token::sources(&collection.method))
        .collect()
}

/// The collection's headers and parameters, and last those of its method, which
/// wins over others of the same name.
pub(super) fn placings(collection: &Collection) -> Vec<Placing<'_>> {
    let of_method = of_method(&collection.method);
    let method = of_method.as_ref().map(|method| method.placement.clone());
    let headers = of_fields(&collection.headers, "spec.headers", Placement::Header);
    let query = of_fields(&collection.query, "spec.query", Placement::Query);
    headers
        .chain(query)
        .filter(|placing| !placing.gives_way_to(&collection.method, method.as_ref()))
        .chain(of_method)
        .collect()
}

fn of_fields<'a>(
    fields: &'a [Field],
    list: &'static str,
    placement: fn(String) -> Placement,
) -> impl Iterator<Item = Placing<'a>> {
    fields
        .iter()
        .enumerate()
        .map(move |(index, field)| Placing {
            placement: placement(field.name.clone()),
            on_conflict: field.on_conflict,
            content: Content::Value(Source {
                field: format!("{list}[{index}].value"),
                template: &field.value,
            }),
        })
}

fn of_method(method: &Method) -> Option<Placing<'_>> {
    let source = |field: &str, template| Source {
        field: format!("spec.auth.{field}"),
        template,
    };
    let (placement, content) = match method {
        Method::None | Method::ClientCertificate | Method::AwsSigV4(_) => return None,
        Method::ApiKey { placement, value } => (
            placement.clone(),
            Content::Value(source("apiKey.value", value)),
        ),
        Method::Token(method) => {
            let placed = method.placement.as_ref()?;
            let prefix = &placed.prefix;
            (placed.placement.clone(), Content::Token { prefix })
        }
        Method::SignedJwt(method) => {
            let placed = method.placement.as_ref()?;
            let prefix = &placed.prefix;
            (placed.placement.clone(), Content::Token { prefix })
        }
        Method::Basic { username, password } => (
            Placement::Header("Authorization".to_owned()),
            Content::Basic {
                username: source("basic.username", username),
                password: source("basic.password", password),
            },
        ),
    };
    Some(Placing {
        placement,
        // Whatever the caller sent in the credential's place is not the
        // credential.
        on_conflict: OnConflict::Replace,
        content,
    })
}
