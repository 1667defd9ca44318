//! Which tokens were given to whom.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// What the server is started with.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Settings {
    /// How every token begins.
    prefix: String,
    clients: BTreeMap<String, Client>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Client {
    /// Any of them will do.
    secrets: Vec<String>,
    /// As whom the API knows it.
    identity: String,
    /// How long an access token is good for.
    lifetime_seconds: u64,
    /// The first refresh token; without one it uses its credentials.
    #[serde(default)]
    refresh_token: Option<String>,
    /// How long a refresh token that was replaced may still be shown.
    #[serde(default)]
    grace_seconds: u64,
}

/// What was asked for so far.
#[derive(Clone, Default, Serialize)]
pub(super) struct Counters {
    /// By client.
    clients: BTreeMap<String, Tally>,
    /// Calls of the API with a token in its life.
    answered: u64,
    /// Calls with a token after its end.
    expired: u64,
    /// Calls with no token that was given, or one that was taken back.
    unknown: u64,
}

#[derive(Clone, Default, Serialize)]
struct Tally {
    /// Requests with the client's credentials that were right.
    requests: u64,
    /// Those that gave a token.
    issued: u64,
    /// Times that a refresh token was replaced.
    rotations: u64,
    /// Times that a replaced one was shown within its grace.
    repeated: u64,
    /// Times that a replaced one was shown after that.
    reused: u64,
    /// Requests with credentials that were not right.
    refused: u64,
}

/// What a token request is answered.
#[derive(Serialize)]
pub(super) struct Granted {
    access_token: String,
    token_type: &'static str,
    expires_in: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
}

pub(super) struct Book {
    settings: Settings,
    /// How many tokens were given.
    count: u64,
    /// Access tokens: of whom, and until when.
    access: BTreeMap<String, (String, Instant)>,
    /// Refresh tokens by client.
    families: BTreeMap<String, Family>,
    counters: Counters,
}

/// Refresh tokens of which each replaced the one before.
#[derive(Default)]
struct Family {
    /// The one that is good; none when a replaced one was shown.
    current: Option<String>,
    /// Those that were replaced, and when.
    replaced: BTreeMap<String, Instant>,
}

impl Book {
    pub(super) fn new(settings: Settings) -> Self {
        let families = settings.clients.iter().map(|(id, client)| {
            let family = Family {
                current: client.refresh_token.clone(),
                replaced: BTreeMap::new(),
            };
            (id.clone(), family)
        });
        Self {
            families: families.collect(),
            settings,
            count: 0,
            access: BTreeMap::new(),
            counters: Counters::default(),
        }
    }

    pub(super) const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Takes back every access token.
    pub(super) fn revoke(&mut self) {
        self.access.clear();
    }

    /// As whom the API knows whoever shows the token.
    pub(super) fn identity(&mut self, token: &str, now: Instant) -> Option<String> {
        match self.access.get(token) {
            Some((identity, end)) if now < *end => {
                self.counters.answered += 1;
                Some(identity.clone())
            }
            Some(_) => {
                self.counters.expired += 1;
                None
            }
            None => {
                self.counters.unknown += 1;
                None
            }
        }
    }

    /// By the client's own credentials.
    pub(super) fn grant(&mut self, id: &str, secret: &str) -> Result<Granted, &'static str> {
        self.authenticate(id, secret)?;
        if self.settings.clients[id].refresh_token.is_some() {
            return Err("unauthorized_client");
        }
        Ok(self.issue(id, None))
    }

    /// For a client that somebody else vouches for (RFC 8693 §2.2.2).
    pub(super) fn exchange(&mut self, id: &str) -> Result<Granted, &'static str> {
        let known = self.settings.clients.contains_key(id);
        let tally = self.counters.clients.entry(id.to_owned()).or_default();
        if known {
            tally.requests += 1;
            Ok(self.issue(id, None))
        } else {
            tally.refused += 1;
            Err("invalid_request")
        }
    }

    /// With a refresh token.
    pub(super) fn refresh(
        &mut self,
        id: &str,
        secret: &str,
        shown: &str,
        now: Instant,
    ) -> Result<Granted, &'static str> {
        self.authenticate(id, secret)?;
        let next = self.name("refresh");
        let grace = Duration::from_secs(self.settings.clients[id].grace_seconds);
        let tally = self.counters.clients.entry(id.to_owned()).or_default();
        let family = self.families.entry(id.to_owned()).or_default();
        if family.current.as_deref() == Some(shown) {
            tally.rotations += 1;
            family.replaced.insert(shown.to_owned(), now);
        } else {
            match family.replaced.get(shown) {
                Some(since) if family.current.is_some() && now < *since + grace => {
                    tally.repeated += 1;
                    // What was given for it the first time is not used by anybody.
                    if let Some(unused) = family.current.take() {
                        family.replaced.insert(unused, now);
                    }
                }
                Some(_) => {
                    tally.reused += 1;
                    family.current = None;
                    let identity = &self.settings.clients[id].identity;
                    self.access.retain(|_, (of, _)| of != identity);
                    return Err("invalid_grant");
                }
                None => return Err("invalid_grant"),
            }
        }
        family.current = Some(next.clone());
        Ok(self.issue(id, Some(next)))
    }

    fn authenticate(&mut self, id: &str, secret: &str) -> Result<(), &'static str> {
        let client = self.settings.clients.get(id);
        let known = client.is_some_and(|client| client.secrets.iter().any(|one| one == secret));
        let tally = self.counters.clients.entry(id.to_owned()).or_default();
        if known {
            tally.requests += 1;
            Ok(())
        } else {
            tally.refused += 1;
            Err("invalid_client")
        }
    }

    fn issue(&mut self, id: &str, refresh_token: Option<String>) -> Granted {
        let access_token = self.name("access");
        let tally = self.counters.clients.entry(id.to_owned()).or_default();
        tally.issued += 1;
        let client = &self.settings.clients[id];
        let end = Instant::now() + Duration::from_secs(client.lifetime_seconds);
        let known = (client.identity.clone(), end);
        let expires_in = client.lifetime_seconds;
        self.access.insert(access_token.clone(), known);
        Granted {
            access_token,
            token_type: "Bearer",
            expires_in,
            refresh_token,
        }
    }

    fn name(&mut self, kind: &str) -> String {
        self.count += 1;
        format!("{}-{kind}-{}", self.settings.prefix, self.count)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn book(grace: u64) -> Book {
        let settings = json!({"prefix": "t", "clients": {
            "app": {"secrets": ["s1", "s2"], "identity": "app", "lifetimeSeconds": 60},
            "user": {"secrets": ["s"], "identity": "user", "lifetimeSeconds": 60,
                     "refreshToken": "r0", "graceSeconds": grace},
        }});
        Book::new(serde_json::from_value(settings).expect("settings"))
    }

    #[test]
    fn a_token_is_good_until_its_end() {
        let mut book = book(0);
        let granted = book.grant("app", "s2").expect("a token");
        let now = Instant::now();
        let token = &granted.access_token;
        assert_eq!(book.identity(token, now).as_deref(), Some("app"));
        let later = now + Duration::from_secs(61);
        assert_eq!(book.identity(token, later), None);
        assert_eq!(book.identity("other", now), None);
        let counters = book.counters();
        let counted = (counters.answered, counters.expired, counters.unknown);
        assert_eq!(counted, (1, 1, 1));
        assert_eq!(book.grant("app", "s3").err(), Some("invalid_client"));
    }

    #[test]
    fn who_shows_a_replaced_refresh_token_after_its_grace_loses_everything() {
        let mut book = book(5);
        let now = Instant::now();
        let mut show = |token: &str, after| {
            let at = now + Duration::from_secs(after);
            let granted = book.refresh("user", "s", token, at);
            granted.map(|granted| granted.refresh_token.expect("one"))
        };
        let lost = show("r0", 0).expect("a token");
        let second = show("r0", 4).expect("within its grace");
        assert_ne!(lost, second);
        let third = show(&second, 6).expect("a token");
        assert_eq!(show("r0", 7).err(), Some("invalid_grant"));
        assert_eq!(show(&third, 8).err(), Some("invalid_grant"));
        let tally = &book.counters().clients["user"];
        assert_eq!((tally.rotations, tally.repeated, tally.reused), (2, 1, 1));
    }
}
