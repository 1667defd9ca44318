//! The APIs of the demo's provider: one for each way of authenticating.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use credence_core::Environment;
use hyper::Method;
use hyper::header::{AUTHORIZATION, HeaderMap};

use super::key::Key;

/// One API: the collection's name is also its first path segment at the
/// provider.
#[derive(Debug)]
pub(crate) struct Api {
    /// The collection.
    pub(crate) name: &'static str,
    /// What the story calls the method.
    pub(crate) method: &'static str,
    /// The `auth`, `headers` or `query` block of the manifest.
    pub(crate) manifest: &'static str,
    /// The call that the story makes.
    pub(crate) call: (Method, &'static str),
    /// What it answers besides the environment.
    pub(crate) answer: (&'static str, &'static str),
    /// Where it looks for its key.
    placement: Placement,
    /// Its keys, one for each environment.
    keys: [Key; 2],
}

/// Where a provider looks for a key.
#[derive(Clone, Copy, Debug)]
enum Placement {
    Bearer,
    Query(&'static str),
    BasicUser,
    Header(&'static str),
}

/// What a provider makes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Whose key it holds, if it holds one that is right.
    pub(crate) environment: Option<Environment>,
    /// The credential as it may be shown.
    pub(crate) seen: String,
}

impl Api {
    /// All of them, with new keys.
    ///
    /// # Errors
    /// When the machine has no randomness.
    pub(crate) fn all() -> anyhow::Result<Vec<Self>> {
        let api = |name, method, manifest, call, answer, placement| -> anyhow::Result<Self> {
            Ok(Self {
                name,
                method,
                manifest,
                call,
                answer,
                placement,
                keys: [
                    Key::generate(Environment::Development)?,
                    Key::generate(Environment::Live)?,
                ],
            })
        };
        Ok(vec![
            api(
                "chat",
                "a key in a header",
                "auth:\n  apiKey: {in: Header, name: Authorization, value: \"Bearer ${secret.key}\"}\n",
                (Method::GET, "/models?limit=2"),
                ("models", "small, large"),
                Placement::Bearer,
            )?,
            api(
                "weather",
                "a key in the query",
                "auth:\n  apiKey: {in: Query, name: appid, value: \"${secret.key}\"}\n",
                (Method::GET, "/forecast?city=Oslo"),
                ("forecast", "rain"),
                Placement::Query("appid"),
            )?,
            api(
                "payments",
                "HTTP Basic",
                "auth:\n  basic: {username: \"${secret.key}\", password: \"\"}\n",
                (Method::POST, "/charges"),
                ("charge", "ch_1"),
                Placement::BasicUser,
            )?,
            api(
                "mail",
                "a private header",
                "headers:\n- {name: X-Mail-Key, value: \"${secret.key}\"}\n",
                (Method::POST, "/messages"),
                ("message", "queued"),
                Placement::Header("x-mail-key"),
            )?,
        ])
    }

    /// The key of an environment.
    pub(crate) fn key(&self, environment: Environment) -> &Key {
        match environment {
            Environment::Development => &self.keys[0],
            Environment::Live => &self.keys[1],
        }
    }

    /// Looks at the credential of a request.
    pub(crate) fn judge(&self, headers: &HeaderMap, query: &str) -> Verdict {
        let Some(shown) = self.credential(headers, query) else {
            return Verdict {
                environment: None,
                seen: "no credential".to_owned(),
            };
        };
        let key = self.keys.iter().find(|key| key.expose() == shown);
        let text = key.map_or_else(|| "…".to_owned(), Key::redacted);
        Verdict {
            environment: key.map(Key::environment),
            seen: match self.placement {
                Placement::Bearer => format!("authorization: Bearer {text}"),
                Placement::Query(name) => format!("?{name}={text}"),
                Placement::BasicUser => format!("authorization: Basic base64({text}:)"),
                Placement::Header(name) => format!("{name}: {text}"),
            },
        }
    }

    fn credential(&self, headers: &HeaderMap, query: &str) -> Option<String> {
        let header = |name: &str| headers.get(name)?.to_str().ok().map(str::to_owned);
        let authorization = |scheme: &str| {
            let value = header(AUTHORIZATION.as_str())?;
            value.strip_prefix(scheme).map(str::to_owned)
        };
        match self.placement {
            Placement::Bearer => authorization("Bearer "),
            Placement::Header(name) => header(name),
            Placement::Query(name) => query.split('&').find_map(|pair| {
                let (key, value) = pair.split_once('=')?;
                (key == name).then(|| value.to_owned())
            }),
            Placement::BasicUser => {
                let pair = STANDARD.decode(authorization("Basic ")?).ok()?;
                let pair = String::from_utf8(pair).ok()?;
                pair.strip_suffix(':').map(str::to_owned)
            }
        }
    }
}
