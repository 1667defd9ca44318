//! The values that are put on a call.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::placing::{Content, Placing, Source};
use super::{Case, SecretObject, Unresolved, path};
use crate::bundle::{Placed, Route};
use crate::collection::Placement;
use crate::template::Scope;
use crate::{Secret, cookie};

impl<'a> Case<'a> {
    /// Puts one value on the route.
    pub(super) fn place(
        &self,
        placing: &Placing<'_>,
        secret: Option<&'a SecretObject>,
        route: &mut Route,
    ) -> Result<(), Unresolved> {
        let scope = self.scope(secret);
        let value = match &placing.content {
            Content::Value(source) => self.value(source, &placing.placement, scope)?,
            Content::Basic { username, password } => self.basic(username, password, scope)?,
        };
        let (name, list) = match &placing.placement {
            Placement::Header(name) => (name, &mut route.headers),
            Placement::Query(name) => (name, &mut route.query),
            Placement::Cookie(name) => (name, &mut route.cookies),
            Placement::Body(name) => (name, &mut route.body),
            Placement::Path => {
                route.path = Some(value);
                return Ok(());
            }
        };
        list.push(Placed {
            name: name.clone(),
            value: value.into(),
            on_conflict: placing.on_conflict,
        });
        Ok(())
    }

    fn value(
        &self,
        source: &Source<'_>,
        placement: &Placement,
        scope: Scope<'_>,
    ) -> Result<Secret, Unresolved> {
        match placement {
            Placement::Header(_) | Placement::Query(_) => {
                let value = self.render(source, scope)?;
                self.check_characters(source, placement, &value)?;
                Ok(value)
            }
            Placement::Cookie(_) => {
                let value = self.render(source, scope)?;
                match cookie::offending(value.expose()) {
                    Some(found) => Err(self.bad_character(source, placement, found)),
                    None => Ok(value),
                }
            }
            Placement::Path => {
                // Not escaped, to see what is in it.
                let plain = self.render(source, scope)?;
                self.check_characters(source, placement, &plain)?;
                let escaped = source
                    .template
                    .render_path(&scope)
                    .map_err(|error| self.unrendered(source, error, scope.secret))?;
                path::segments(escaped.expose()).map_err(|error| self.bad_path(source, error))
            }
            // JSON and forms can write every character.
            Placement::Body(_) => self.render(source, scope),
        }
    }

    /// The value of `Authorization` by RFC 7617 §2, in UTF-8.
    fn basic(
        &self,
        username: &Source<'_>,
        password: &Source<'_>,
        scope: Scope<'_>,
    ) -> Result<Secret, Unresolved> {
        let scope = Scope {
            // Many providers want a key as the user name and no password.
            empty_allowed: true,
            ..scope
        };
        let header = Placement::Header("Authorization".to_owned());
        let user = self.render(username, scope)?;
        let pass = self.render(password, scope)?;
        self.check_characters(username, &header, &user)?;
        self.check_characters(password, &header, &pass)?;
        if user.expose().contains(':') {
            return Err(self.colon(username));
        }
        if user.expose().is_empty() && pass.expose().is_empty() {
            return Err(self.nothing_to_send());
        }
        let pair = Zeroizing::new(format!("{}:{}", user.expose(), pass.expose()));
        Ok(Secret::new(format!(
            "Basic {}",
            STANDARD.encode(pair.as_bytes())
        )))
    }

    fn check_characters(
        &self,
        source: &Source<'_>,
        placement: &Placement,
        value: &Secret,
    ) -> Result<(), Unresolved> {
        match value.expose().chars().find(|c| c.is_control()) {
            Some(found) => Err(self.bad_character(source, placement, found)),
            None => Ok(()),
        }
    }
}
