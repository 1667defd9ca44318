//! Where a provider looks for a key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{AUTHORIZATION, COOKIE};
use serde_json::Value;

use crate::demo::request::Request;

/// Where a provider looks for a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// `Authorization: Bearer KEY`.
    Bearer,
    /// A header of this name, in lower case.
    Header(&'static str),
    /// A query parameter.
    Query(&'static str),
    /// A cookie.
    Cookie(&'static str),
    /// Behind this, at the beginning of the first segment after the API's own.
    Path(&'static str),
    /// A member of a JSON object.
    Body(&'static str),
    /// The user name of HTTP Basic, with an empty password.
    BasicUser,
}

impl Place {
    /// What stands there in a request, if anything does.
    pub(super) fn find(self, request: &Request) -> Option<String> {
        match self {
            Self::Bearer => request
                .header(AUTHORIZATION)?
                .strip_prefix("Bearer ")
                .map(str::to_owned),
            Self::Header(name) => request.header(name).map(str::to_owned),
            Self::Query(name) => {
                let (_, query) = request.target.split_once('?')?;
                pair(query.split('&'), name)
            }
            Self::Cookie(name) => pair(request.header(COOKIE)?.split("; "), name),
            Self::Path(prefix) => {
                let segment = request.target.split(['/', '?']).nth(2)?;
                segment.strip_prefix(prefix).map(str::to_owned)
            }
            Self::Body(name) => {
                let body: Value = serde_json::from_str(&request.body).ok()?;
                body.get(name)?.as_str().map(str::to_owned)
            }
            Self::BasicUser => {
                let pair = request.header(AUTHORIZATION)?.strip_prefix("Basic ")?;
                let pair = String::from_utf8(STANDARD.decode(pair).ok()?).ok()?;
                pair.strip_suffix(':').map(str::to_owned)
            }
        }
    }

    /// How it is shown, with `text` in the place of the key that was found; of
    /// cookies also those of the app.
    pub(super) fn shown(self, request: &Request, found: &str, text: &str) -> String {
        match self {
            Self::Bearer => format!("authorization: Bearer {text}"),
            Self::Header(name) => format!("{name}: {text}"),
            Self::Query(name) => format!("?{name}={text}"),
            Self::Cookie(_) => {
                let cookies = request.header(COOKIE).unwrap_or_default();
                format!("cookie: {}", cookies.replace(found, text))
            }
            Self::Path(prefix) => format!("/{prefix}{text}/"),
            Self::Body(name) => format!("body: {{\"{name}\": \"{text}\"}}"),
            Self::BasicUser => format!("authorization: Basic base64({text}:)"),
        }
    }

    /// A request with `key` put there by hand.
    pub(super) fn put(self, request: &Request, key: &str) -> Request {
        let mut request = request.clone();
        match self {
            Self::Bearer => request.set(AUTHORIZATION, &format!("Bearer {key}")),
            Self::Header(name) => request.set(name, key),
            Self::Query(name) => {
                let separator = if request.target.contains('?') {
                    '&'
                } else {
                    '?'
                };
                request.target = format!("{}{separator}{name}={key}", request.target);
            }
            Self::Cookie(name) => request.set(COOKIE, &format!("{name}={key}")),
            Self::Path(prefix) => {
                let rest = request.target.trim_start_matches('/');
                let (api, rest) = rest.split_once('/').unwrap_or((rest, ""));
                request.target = format!("/{api}/{prefix}{key}/{rest}");
            }
            Self::Body(name) => {
                let mut body: Value = serde_json::from_str(&request.body).unwrap_or_default();
                body[name] = key.into();
                request.body = body.to_string();
            }
            Self::BasicUser => {
                let pair = STANDARD.encode(format!("{key}:"));
                request.set(AUTHORIZATION, &format!("Basic {pair}"));
            }
        }
        request
    }
}

/// The value of `name=value` among pairs.
fn pair<'a>(mut pairs: impl Iterator<Item = &'a str>, name: &str) -> Option<String> {
    pairs.find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        (key == name).then(|| value.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACES: [Place; 7] = [
        Place::Bearer,
        Place::Header("x-key"),
        Place::Query("key"),
        Place::Cookie("session"),
        Place::Path("bot"),
        Place::Body("api_key"),
        Place::BasicUser,
    ];

    #[test]
    fn what_was_put_is_found_there_and_nowhere_else() {
        let bare = Request::post("/api/messages?to=1", r#"{"text": "Hi"}"#);
        for place in PLACES {
            assert_eq!(place.find(&bare), None, "{place:?}");
            let with = place.put(&bare, "dev_1");
            for other in PLACES {
                let expected = (other == place).then_some("dev_1");
                assert_eq!(other.find(&with).as_deref(), expected, "{other:?}");
            }
        }
    }

    #[test]
    fn what_is_shown_holds_no_more_than_the_given_text() {
        let bare = Request::post("/api/messages", "{}").with("cookie", "a=b");
        for place in PLACES {
            let with = place.put(&bare, "dev_1");
            let shown = place.shown(&with, "dev_1", "dev_…");
            assert!(shown.contains("dev_…"), "{shown}");
            assert!(!shown.contains("dev_1"), "{shown}");
        }
    }
}
