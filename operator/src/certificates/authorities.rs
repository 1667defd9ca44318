//! All authorities that are held, and the Secret that they are in.
//!
//! | keys of the Secret | |
//! |---|---|
//! | `ca.crt`, `ca.key`, `tls.crt`, `tls.key` | the current authority and its leaf |
//! | `next-ca.crt`, … | the one that becomes current when every API server trusts it |
//! | `retired-‹8 digits of its SHA-256›-ca.crt`, … | each that was current, as long as a pod trusts it |
//! | `retired-‹…›-since` | when it was retired (RFC 3339) |

use std::collections::BTreeMap;

use credence_core::names::{self, feed_server_name};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;
use zeroize::Zeroizing;

use super::held::{Held, Leaf, Pair, Unusable};

/// Type of the Secret; collections may not refer to one of this type.
pub const SECRET_TYPE: &str = "credence.dev/certificates";

/// How long an authority that was retired may still be met: by an API server
/// that asks a replica which has not seen the change, and in a pod that such a
/// replica injects. A watch shows a change at once, or begins anew within
/// seconds.
pub const ECHO: SignedDuration = SignedDuration::from_secs(60);

const CURRENT: &str = "";
const NEXT: &str = "next-";
const RETIRED: &str = "retired-";
const AUTHORITY: &str = "ca.crt";
const AUTHORITY_KEY: &str = "ca.key";
const LEAF: &str = "tls.crt";
const LEAF_KEY: &str = "tls.key";
const SINCE: &str = "since";

/// All that are held.
#[derive(Clone, Debug, Default)]
pub struct Authorities {
    /// Whose leaf the webhook is served with, and which injected pods are given.
    pub current: Option<Held>,
    /// Served to whoever asks for it, and given to nobody yet.
    pub next: Option<Held>,
    /// Served to whoever asks for it.
    pub retired: Vec<Retired>,
}

/// One that was current.
#[derive(Clone, Debug)]
pub struct Retired {
    /// The authority.
    pub held: Held,
    /// Since when it is no longer.
    pub since: Timestamp,
}

/// What API servers have to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trust {
    /// PEM of the authority that the webhook is served by now.
    pub serving: String,
    /// PEM of all that it may be served by soon, or by a replica that is behind.
    pub bundle: String,
}

impl Authorities {
    /// Reads the Secret. What cannot be used is left out and named by its key.
    pub fn of_secret(secret: &Secret) -> (Self, Vec<(String, Unusable)>) {
        let empty = BTreeMap::new();
        let data = secret.data.as_ref().unwrap_or(&empty);
        let mut faults = Vec::new();
        let mut read = |prefix: &str| {
            let held = held(data, prefix);
            held.inspect_err(|fault| faults.push((format!("{prefix}{AUTHORITY}"), *fault)))
                .ok()
        };
        let current = read(CURRENT);
        let next = has(data, NEXT).then(|| read(NEXT)).flatten();
        let prefixes = data.keys().filter_map(|key| {
            let prefix = key.strip_suffix(AUTHORITY)?;
            prefix.starts_with(RETIRED).then_some(prefix)
        });
        let retired = prefixes
            .filter_map(|prefix| {
                let since = text(data, prefix, SINCE).and_then(|since| since.parse().ok());
                Some(Retired {
                    held: read(prefix)?,
                    since: since.unwrap_or(Timestamp::MIN),
                })
            })
            .collect();
        let authorities = Self {
            current,
            next,
            retired,
        };
        (authorities, faults)
    }

    /// The Secret's data.
    pub fn to_data(&self) -> BTreeMap<String, ByteString> {
        let mut data = BTreeMap::new();
        let prefixed = self
            .current
            .iter()
            .map(|held| (CURRENT.to_owned(), held))
            .chain(self.next.iter().map(|held| (NEXT.to_owned(), held)))
            .chain(self.retired.iter().map(|r| (prefix(&r.held), &r.held)));
        for (prefix, held) in prefixed {
            let mut put = |name: &str, text: &str| {
                let bytes = ByteString(text.as_bytes().to_vec());
                data.insert(format!("{prefix}{name}"), bytes);
            };
            put(AUTHORITY, &held.authority.pem);
            put(AUTHORITY_KEY, &held.authority.key_pem);
            if let Some(leaf) = &held.leaf {
                put(LEAF, &leaf.pair.pem);
                put(LEAF_KEY, &leaf.pair.key_pem);
            }
        }
        for retired in &self.retired {
            let since = retired.since.to_string().into_bytes();
            data.insert(
                format!("{}{SINCE}", prefix(&retired.held)),
                ByteString(since),
            );
        }
        data
    }

    /// All of them, the current one first.
    pub fn all(&self) -> impl Iterator<Item = &Held> {
        let retired = self.retired.iter().map(|retired| &retired.held);
        self.current.iter().chain(&self.next).chain(retired)
    }

    /// All of them, to be changed.
    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = &mut Held> {
        let retired = self.retired.iter_mut().map(|retired| &mut retired.held);
        self.current.iter_mut().chain(&mut self.next).chain(retired)
    }

    /// What somebody is served who asks for this name: the leaf of the
    /// authority that the name stands for, else the current one's.
    pub fn serving(&self, server_name: Option<&str>) -> Option<&Leaf> {
        let named = server_name.and_then(|name| {
            self.all()
                .find(|held| feed_server_name(&held.root) == name)
                .and_then(|held| held.leaf.as_ref())
        });
        named.or_else(|| self.current.as_ref()?.leaf.as_ref())
    }

    /// What API servers have to know at this time.
    pub fn trust(&self, now: Timestamp) -> Option<Trust> {
        let current = self.current.as_ref()?;
        let echoes = self.retired.iter().filter(|retired| {
            let over = retired.since.saturating_add(ECHO);
            over.is_ok_and(|over| now < over)
        });
        let bundle = [current]
            .into_iter()
            .chain(&self.next)
            .chain(echoes.map(|retired| &retired.held))
            .map(|held| held.authority.pem.as_str())
            .collect();
        Some(Trust {
            serving: current.authority.pem.clone(),
            bundle,
        })
    }
}

/// The request for a rotation that is still to be followed: the Secret's
/// annotation [`names::ROTATE`], unless [`names::ROTATED`] says the same.
pub fn request(secret: &Secret) -> Option<&str> {
    let annotation = |name| secret.annotations().get(name).map(String::as_str);
    annotation(names::ROTATE)
        .filter(|request| !request.is_empty() && annotation(names::ROTATED) != Some(*request))
}

fn prefix(held: &Held) -> String {
    let digits = held.root.get(..8).unwrap_or(&held.root);
    format!("{RETIRED}{digits}-")
}

fn has(data: &BTreeMap<String, ByteString>, prefix: &str) -> bool {
    data.contains_key(&format!("{prefix}{AUTHORITY}"))
}

fn held(data: &BTreeMap<String, ByteString>, prefix: &str) -> Result<Held, Unusable> {
    let pair = |certificate, key| {
        let pem = text(data, prefix, certificate).ok_or(Unusable::Unreadable)?;
        let key = text(data, prefix, key).ok_or(Unusable::Unreadable)?;
        Pair::of_pem(pem.to_owned(), Zeroizing::new(key.to_owned()))
    };
    Held::new(pair(AUTHORITY, AUTHORITY_KEY)?, pair(LEAF, LEAF_KEY).ok())
}

fn text<'a>(data: &'a BTreeMap<String, ByteString>, prefix: &str, name: &str) -> Option<&'a str> {
    let bytes = data.get(&format!("{prefix}{name}"))?;
    std::str::from_utf8(&bytes.0).ok()
}

#[cfg(test)]
mod tests {
    use super::super::authority;
    use super::*;

    fn now() -> Timestamp {
        "2026-11-21T00:00:00Z".parse().unwrap()
    }

    fn made() -> Held {
        let root = authority::authority(now()).unwrap();
        let leaf = authority::leaf(&root, &["credence-feed".to_owned()], now()).unwrap();
        Held::new(root, Some(leaf)).unwrap()
    }

    fn three() -> Authorities {
        let retired = |held| Retired { held, since: now() };
        Authorities {
            current: Some(made()),
            next: Some(made()),
            retired: vec![retired(made()), retired(made())],
        }
    }

    fn secret(data: BTreeMap<String, ByteString>) -> Secret {
        Secret {
            data: Some(data),
            ..Secret::default()
        }
    }

    fn roots(authorities: &Authorities) -> std::collections::BTreeSet<&str> {
        authorities.all().map(|held| held.root.as_str()).collect()
    }

    #[test]
    fn what_was_written_is_read() {
        let written = three();
        let (read, faults) = Authorities::of_secret(&secret(written.to_data()));
        assert_eq!(faults, []);
        assert_eq!(roots(&read), roots(&written));
        let root = |held: &Option<Held>| held.as_ref().map(|held| held.root.clone());
        assert_eq!(root(&read.current), root(&written.current));
        assert_eq!(root(&read.next), root(&written.next));
        assert!(read.retired.iter().all(|retired| retired.since == now()));
        assert!(read.all().all(|held| held.leaf.is_some()));
    }

    #[test]
    fn a_secret_with_one_authority_only_is_read_as_the_current_one() {
        let one = Authorities {
            next: None,
            retired: Vec::new(),
            ..three()
        };
        let data = one.to_data();
        let keys: Vec<&str> = data.keys().map(String::as_str).collect();
        assert_eq!(keys, ["ca.crt", "ca.key", "tls.crt", "tls.key"]);
        let (read, faults) = Authorities::of_secret(&secret(data));
        assert_eq!((roots(&read), faults), (roots(&one), Vec::new()));
    }

    #[test]
    fn what_is_damaged_is_named_and_costs_no_other() {
        let whole = three();
        let key = format!("{}ca.key", prefix(&whole.retired[0].held));
        for damaged in ["ca.key", "next-ca.key", &key] {
            let mut data = whole.to_data();
            data.remove(damaged);
            let (read, faults) = Authorities::of_secret(&secret(data));
            let named = damaged.replace("key", "crt");
            assert_eq!(faults, [(named, Unusable::Unreadable)]);
            assert_eq!(read.all().count(), 3, "{damaged}");
        }
        let mut data = whole.to_data();
        data.remove("tls.key");
        let (read, faults) = Authorities::of_secret(&secret(data));
        assert_eq!((read.all().count(), faults), (4, Vec::new()));
        assert!(read.current.unwrap().leaf.is_none());
    }

    #[test]
    fn everybody_is_served_the_leaf_of_the_root_that_he_asks_for() {
        let authorities = three();
        let expires = |name: Option<&str>| &authorities.serving(name).unwrap().pair.pem;
        for held in authorities.all() {
            let name = feed_server_name(&held.root);
            assert_eq!(expires(Some(&name)), &held.leaf.as_ref().unwrap().pair.pem);
        }
        let current = authorities.current.as_ref().unwrap().leaf.as_ref().unwrap();
        for other in [None, Some("credence-webhook.system.svc")] {
            assert_eq!(expires(other), &current.pair.pem);
        }
    }

    #[test]
    fn api_servers_trust_what_was_is_and_will_be_served() {
        let mut authorities = three();
        authorities.retired.pop();
        let has = |trust: &Trust, held: &Held| trust.bundle.contains(&held.authority.pem);
        let at_once = authorities.trust(now()).unwrap();
        assert!(authorities.all().all(|held| has(&at_once, held)));
        let later = authorities.trust(now() + ECHO).unwrap();
        assert!(!has(&later, &authorities.retired[0].held));
        assert!(later.bundle.starts_with(&later.serving));
        assert!(has(&later, authorities.next.as_ref().unwrap()));
    }

    #[test]
    fn a_request_is_followed_once() {
        let with = |annotations: &[(&str, &str)]| {
            let mut secret = Secret::default();
            secret.annotations_mut().extend(
                annotations
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
            );
            request(&secret).map(str::to_owned)
        };
        assert_eq!(with(&[]), None);
        assert_eq!(with(&[(names::ROTATE, "")]), None);
        assert_eq!(with(&[(names::ROTATE, "1")]).as_deref(), Some("1"));
        assert_eq!(with(&[(names::ROTATE, "1"), (names::ROTATED, "1")]), None);
        let again = [(names::ROTATE, "2"), (names::ROTATED, "1")];
        assert_eq!(with(&again).as_deref(), Some("2"));
    }
}
