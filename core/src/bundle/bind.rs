//! A token is put into what a route places.

use super::{Placed, Route, Token, Value};
use crate::cookie;
use crate::template::FieldMissing;

/// The token cannot be used for this route. Holds names, never values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unbindable {
    /// Something that is placed refers to a field that it lacks.
    #[error(transparent)]
    Field(#[from] FieldMissing),
    /// A character that cannot be written in its place.
    #[error("the token holds a character that {0} cannot hold")]
    Character(&'static str),
}

impl Route {
    /// Whether no call can be made without a token.
    pub fn needs_token(&self) -> bool {
        self.placed().any(|placed| match &placed.value {
            Value::Fixed(_) => false,
            Value::Varying(varying) => varying.needs_token(),
        })
    }

    /// The route with a token in it, which leads where the token says.
    ///
    /// # Errors
    /// [`Unbindable`].
    pub fn bind(&self, token: &Token) -> Result<Self, Unbindable> {
        let bound = |list: &[Placed], what, offending: fn(&str) -> Option<char>| {
            let bound = list.iter().map(|placed| {
                let Value::Varying(varying) = &placed.value else {
                    return Ok(placed.clone());
                };
                let value = varying.bind(token)?;
                match offending(&value.sample()) {
                    Some(_) => Err(Unbindable::Character(what)),
                    None => Ok(Placed {
                        name: placed.name.clone(),
                        value,
                        private: placed.private,
                        on_conflict: placed.on_conflict,
                    }),
                }
            });
            bound.collect::<Result<Vec<_>, _>>()
        };
        Ok(Self {
            base_url: token.base_url.as_ref().unwrap_or(&self.base_url).clone(),
            headers: bound(&self.headers, "a header", control)?,
            query: bound(&self.query, "a query", control)?,
            cookies: bound(&self.cookies, "a cookie", cookie::offending)?,
            body: bound(&self.body, "a body", |_| None)?,
            ..self.clone()
        })
    }

    pub(super) fn placed(&self) -> impl Iterator<Item = &Placed> {
        let placed = [&self.headers, &self.query, &self.cookies, &self.body];
        placed.into_iter().flatten()
    }
}

/// A character that ends or breaks a field.
pub(crate) fn control(text: &str) -> Option<char> {
    text.chars().find(|c| c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::OnConflict;
    use crate::{BaseUrl, Secret};

    fn placed(pieces: &str) -> Placed {
        Placed {
            name: "Authorization".to_owned(),
            value: Value::Varying(serde_json::from_str(pieces).unwrap()),
            private: true,
            on_conflict: OnConflict::Replace,
        }
    }

    fn route(header: &str) -> Route {
        Route {
            headers: vec![placed(header)],
            ..Route::to("https://api.test/v1".parse().unwrap())
        }
    }

    fn token(value: &str) -> Token {
        Token::new(Secret::new(value), 1)
    }

    #[test]
    fn a_bound_route_needs_no_token_any_more() {
        let route = route(r#"[{"text": "Bearer "}, {"token": ""}]"#);
        assert!(route.needs_token());
        let bound = route.bind(&token("t0k")).unwrap();
        assert!(!bound.needs_token());
        assert_eq!(bound.headers[0].value.fixed(), Some("Bearer t0k"));
        assert_eq!(bound.base_url, route.base_url);
    }

    #[test]
    fn a_token_can_say_where_its_calls_go() {
        let elsewhere: BaseUrl = "https://na1.api.test".parse().unwrap();
        let token = Token {
            base_url: Some(elsewhere.clone()),
            ..token("t0k")
        };
        let bound = route(r#"[{"token": ""}]"#).bind(&token).unwrap();
        assert_eq!(bound.base_url, elsewhere);
    }

    #[test]
    fn a_token_cannot_end_its_header() {
        let bound = route(r#"[{"token": ""}]"#).bind(&token("a\r\nHost: b"));
        assert_eq!(bound, Err(Unbindable::Character("a header")));
    }

    #[test]
    fn a_field_that_the_token_lacks_stops_the_route() {
        let bound = route(r#"[{"token": "realm"}]"#).bind(&token("a"));
        assert!(matches!(bound, Err(Unbindable::Field(_))));
    }

    #[test]
    fn what_varies_without_a_token_needs_none() {
        assert!(!route(r#"[{"variable": "uuid"}]"#).needs_token());
    }
}
