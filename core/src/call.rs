//! A call that nobody else makes: what goes to the provider for a caller who
//! sends no more than a method and a target.
//!
//! It is what a sidecar makes of such a call; the sidecar's tests compare.

mod call_target;

use std::fmt;
use std::iter;

use http::uri::PathAndQuery;
use jiff::Timestamp;
use jiff::civil::Date;
use zeroize::Zeroizing;

use crate::Secret;
use crate::bundle::{Placed, Route, Value};
use crate::placement::CompiledQuery;
use crate::sigv4::{Content, Head, NoKey, Payload, is_signed};
use crate::template::Moment;

pub use call_target::{CallTarget, InvalidCallTarget};

/// What this program says that it is.
pub(crate) const USER_AGENT: &str = concat!("credence/", env!("CARGO_PKG_VERSION"));

/// A method that changes nothing at the provider (RFC 9110 §9.2.1), and of
/// whose requests none has a body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SafeMethod {
    /// RFC 9110 §9.3.1.
    #[default]
    Get,
    /// RFC 9110 §9.3.2.
    Head,
}

impl SafeMethod {
    /// As HTTP spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
        }
    }
}

/// A request without a body, with the credential on it. Its `Debug` shows the
/// method and the host alone.
pub struct Call {
    /// What is done.
    pub method: SafeMethod,
    /// The value of `Host`.
    pub authority: String,
    /// Path and query, as a request has them (RFC 9112 §3.2.1).
    pub target: Secret,
    /// All headers but `Host` and those of the framing.
    pub headers: Vec<(String, Secret)>,
}

/// A call cannot be made as a sidecar would make it, and so is not made at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoCall {
    /// The collection sets a part of the body.
    #[error("the collection sets a part of the body, and the call has none")]
    Body,
    /// The route must be bound first.
    #[error("there is no token")]
    NoToken,
    /// What calls are signed with is not there for this day.
    #[error("there is no key to sign with on {0}")]
    NoKey(Date),
    /// The target has what the collection refuses of any caller.
    #[error("its query has the parameter {0}, which the collection sets itself")]
    Conflict(String),
    /// HTTP has no such path.
    #[error("its path cannot be written")]
    Target,
}

impl Call {
    /// A call by a route, which is bound to its token if it needs one. It is
    /// signed for `now`, if it is signed.
    ///
    /// # Errors
    /// [`NoCall`].
    pub fn of(
        route: &Route,
        method: SafeMethod,
        target: &CallTarget,
        moment: &Moment,
        now: Timestamp,
    ) -> Result<Self, NoCall> {
        if !route.body.is_empty() {
            return Err(NoCall::Body);
        }
        if route.needs_token() {
            return Err(NoCall::NoToken);
        }
        let target = written(route, target, moment)?;
        let mut call = Self {
            method,
            authority: route.base_url.authority(),
            target,
            headers: headers(route, moment),
        };
        if call.path_and_query().is_none() {
            return Err(NoCall::Target);
        }
        call.sign(route, now)?;
        Ok(call)
    }

    fn path_and_query(&self) -> Option<PathAndQuery> {
        PathAndQuery::try_from(self.target.expose()).ok()
    }

    fn sign(&mut self, route: &Route, now: Timestamp) -> Result<(), NoCall> {
        let Some(signing) = &route.signing else {
            return Ok(());
        };
        let (path, query) = match self.target.expose().split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (self.target.expose(), None),
        };
        let placed = self.headers.iter();
        let placed = placed.map(|(name, value)| (name.as_str(), value.expose().as_bytes()));
        let host = iter::once(("Host", self.authority.as_bytes()));
        let fields: Vec<_> = host
            .chain(placed)
            .filter(|(name, _)| is_signed(name))
            .collect();
        let head = Head {
            method: self.method.as_str(),
            path,
            query,
            fields: &fields,
        };
        let content = match signing.payload {
            Payload::Signed => Content::Signed(&[]),
            Payload::Unsigned => Content::Unsigned,
        };
        let signed = signing
            .sign(&head, content, now)
            .map_err(|NoKey(day)| NoCall::NoKey(day))?;
        let signed = signed.into_iter();
        self.headers
            .extend(signed.map(|(name, value)| (name.to_owned(), Secret::from(value))));
        Ok(())
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/…", self.method.as_str(), self.authority)
    }
}

/// Path and query, with what the collection sets in them.
fn written(route: &Route, target: &CallTarget, moment: &Moment) -> Result<Secret, NoCall> {
    let path = route.path.as_ref().map_or("", Secret::expose);
    let asked = target.query().unwrap_or_default();
    // Encoded, each byte is three: growing would leave copies of secrets behind.
    let encoded = |placed: &Placed| 3 * (placed.name.len() + text(&placed.value, moment).len()) + 2;
    let room = route.base_url.path().len() + path.len() + target.path().len() + asked.len();
    let room = room + route.query.iter().map(encoded).sum::<usize>() + 2;
    let mut written = Zeroizing::new(Vec::with_capacity(room));
    for piece in [route.base_url.path(), path, target.path()] {
        written.extend_from_slice(piece.as_bytes());
    }
    if written.is_empty() {
        written.push(b'/');
    }
    CompiledQuery::compile(&route.query)
        .write(target.query().map(str::as_bytes), &moment, &mut written)
        .map_err(|conflict| NoCall::Conflict(conflict.name.to_owned()))?;
    let text = String::from_utf8(std::mem::take(&mut *written)).map_err(|_| NoCall::Target)?;
    Ok(Secret::new(text))
}

/// What the collection sets, and what every request has that no program is
/// astonished about.
fn headers(route: &Route, moment: &Moment) -> Vec<(String, Secret)> {
    let placed = route.headers.iter();
    let mut headers: Vec<_> = placed
        .map(|placed| (placed.name.clone(), text(&placed.value, moment).into()))
        .collect();
    if !route.cookies.is_empty() {
        let pairs = route.cookies.iter().map(|placed| {
            let value = text(&placed.value, moment);
            Zeroizing::new(format!("{}={}", placed.name, *value))
        });
        let pairs: Vec<_> = pairs.collect();
        let length = pairs.iter().map(|pair| pair.len() + 2).sum();
        let mut cookies = Zeroizing::new(String::with_capacity(length));
        for pair in &pairs {
            if !cookies.is_empty() {
                cookies.push_str("; ");
            }
            cookies.push_str(pair);
        }
        headers.push(("Cookie".to_owned(), cookies.into()));
    }
    for (name, value) in [("Accept", "*/*"), ("User-Agent", USER_AGENT)] {
        if !headers
            .iter()
            .any(|(set, _)| set.eq_ignore_ascii_case(name))
        {
            headers.push((name.to_owned(), Secret::new(value)));
        }
    }
    if route.forwarding.via {
        headers.push(("Via".to_owned(), Secret::new("1.1 credence")));
    }
    headers
}

fn text(value: &Value, moment: &Moment) -> Zeroizing<String> {
    match value {
        Value::Fixed(secret) => Zeroizing::new(secret.expose().to_owned()),
        Value::Varying(varying) => varying.render(moment),
    }
}

#[cfg(test)]
mod tests;
