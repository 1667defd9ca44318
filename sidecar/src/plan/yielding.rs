//! A token that the caller may send his own in the place of.

use credence_core::bundle::{OnConflict, Placed, Route, Value};
use credence_core::placement;

use super::body::{self, Format};
use super::cookies;

/// The names under which the token is put on a call that has nothing there.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Yielding {
    headers: Vec<Box<str>>,
    query: Vec<Box<str>>,
    cookies: Vec<Box<str>>,
    body: Vec<Box<str>>,
}

impl Yielding {
    /// Of a route without its token; none where each of its calls gets it.
    pub(crate) fn of(route: &Route) -> Option<Self> {
        let lists = [&route.headers, &route.query, &route.cookies, &route.body];
        let always = |placed: &Placed| placed.on_conflict != OnConflict::IfAbsent;
        if lists
            .into_iter()
            .flatten()
            .any(|placed| needs_token(placed) && always(placed))
        {
            return None;
        }
        let [headers, query, cookies, body] = lists.map(|list| {
            let of_token = list.iter().filter(|placed| needs_token(placed));
            of_token.map(|placed| placed.name.as_str().into()).collect()
        });
        Some(Self {
            headers,
            query,
            cookies,
            body,
        })
    }

    /// Whether the token is put on the head of a call: it has not a header, a
    /// parameter or a cookie of each name already.
    pub(crate) fn is_in_head<'a>(
        &self,
        has: impl Fn(&str) -> bool,
        query: Option<&[u8]>,
        sent: &(impl Iterator<Item = &'a [u8]> + Clone),
    ) -> bool {
        let in_query = |name: &str| query.is_some_and(|query| placement::holds(query, name));
        let in_cookies = |name: &str| sent.clone().any(|value| cookies::holds(value, name));
        self.headers.iter().any(|name| !has(name))
            || self.query.iter().any(|name| !in_query(name))
            || self.cookies.iter().any(|name| !in_cookies(name))
    }

    /// Whether the token is put in the body.
    pub(crate) fn is_in_body(&self, format: Format, sent: &[u8]) -> bool {
        let mut names = self.body.iter();
        names.any(|name| !body::holds(format, sent, name))
    }
}

fn needs_token(placed: &Placed) -> bool {
    match &placed.value {
        Value::Fixed(_) => false,
        Value::Varying(varying) => varying.needs_token(),
    }
}
