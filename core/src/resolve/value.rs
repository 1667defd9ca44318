//! The values that are put on a call.

use super::placing::{Content, Placing, Source};
use super::{Case, SecretObject, Unresolved, path};
use crate::bundle::{Placed, Route, Value, control};
use crate::collection::Placement;
use crate::template::Scope;
use crate::{Secret, cookie};

impl Case<'_> {
    /// Puts one value on the route.
    pub(super) fn place(
        &self,
        placing: &Placing<'_>,
        secret: Option<&SecretObject>,
        route: &mut Route,
    ) -> Result<(), Unresolved> {
        let scope = self.scope(secret, Some(&route.base_url));
        let placement = &placing.placement;
        let (name, list) = match placement {
            Placement::Header(name) => (name.clone(), &mut route.headers),
            Placement::Query(name) => (name.clone(), &mut route.query),
            Placement::Cookie(name) => (name.clone(), &mut route.cookies),
            Placement::Body(name) => (name.clone(), &mut route.body),
            Placement::Path => {
                for source in placing.sources() {
                    route.path = Some(self.path(source, scope)?);
                }
                return Ok(());
            }
        };
        let value = match &placing.content {
            Content::Value(source) => self.value(source, placement, scope)?,
            Content::Basic { username, password } => {
                self.basic(username, password, placement, scope)?
            }
            Content::Token { prefix } => Value::token(prefix),
        };
        list.push(Placed {
            name,
            value,
            private: placing.is_private(),
            on_conflict: placing.on_conflict,
        });
        Ok(())
    }

    fn value(
        &self,
        source: &Source<'_>,
        placement: &Placement,
        scope: Scope<'_>,
    ) -> Result<Value, Unresolved> {
        let value = self.render(source, scope)?;
        let found = match placement {
            Placement::Header(_) | Placement::Query(_) | Placement::Path => {
                control(&value.sample())
            }
            Placement::Cookie(_) => cookie::offending(&value.sample()),
            // JSON and forms can write every character.
            Placement::Body(_) => None,
        };
        match found {
            Some(found) => Err(self.bad_character(source, placement, found)),
            None => Ok(value),
        }
    }

    fn path(&self, source: &Source<'_>, scope: Scope<'_>) -> Result<Secret, Unresolved> {
        // Not escaped, to see what is in it.
        self.value(source, &Placement::Path, scope)?;
        let escaped = source
            .template
            .render_path(&scope)
            .map_err(|error| self.unrendered(source, error, scope.secret))?;
        path::segments(escaped.expose()).map_err(|error| self.bad_path(source, error))
    }

    fn basic(
        &self,
        username: &Source<'_>,
        password: &Source<'_>,
        placement: &Placement,
        scope: Scope<'_>,
    ) -> Result<Value, Unresolved> {
        let scope = Scope {
            // Many providers want a key as the user name and no password.
            empty_allowed: true,
            ..scope
        };
        let user = self.value(username, placement, scope)?;
        let pass = self.value(password, placement, scope)?;
        let sample = user.sample();
        if sample.contains(':') {
            return Err(self.colon(username));
        }
        if sample.is_empty() && pass.sample().is_empty() {
            return Err(self.nothing_to_send());
        }
        Ok(Value::basic(user, pass))
    }
}
