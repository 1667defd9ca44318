//! What a pod's annotations ask of its sidecar.

use std::collections::BTreeSet;
use std::str::FromStr;

use credence_core::{CollectionName, names};

use super::named_collections::{InvalidCollections, named_collections};
use super::pod::Pod;
use super::quantity::Quantity;

/// Less is what the sidecar needs before it has any connection: it would be
/// killed again and again. Mostly it is a forgotten unit.
const LEAST_MEMORY: &str = "16Mi";

/// All of them, checked.
#[derive(Debug)]
pub(super) struct Wishes<'a> {
    /// The collections whose addresses the app is told.
    pub(super) collections: BTreeSet<CollectionName>,
    /// The proxy's port.
    pub(super) port: u16,
    /// Whether the app waits for the first bundle.
    pub(super) awaits: bool,
    /// The init container that the sidecar starts after.
    pub(super) after: Option<&'a str>,
    /// Of the CPU.
    pub(super) cpu: Amounts,
    /// Of memory.
    pub(super) memory: Amounts,
}

/// Of one resource, as far as they are given.
#[derive(Debug, Default)]
pub(super) struct Amounts {
    pub(super) request: Option<Quantity>,
    pub(super) limit: Option<Quantity>,
}

/// An annotation cannot be followed. The pod is not admitted: it would run
/// otherwise than its author believes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidWish {
    /// The names of collections.
    #[error(transparent)]
    Collections(#[from] InvalidCollections),
    /// Neither yes nor no.
    #[error("annotation {0}: write \"true\" or \"false\"")]
    Switch(&'static str),
    /// No port that the proxy could have.
    #[error(
        "annotation {}: write a port from 1024 to 65535, but not {}, where the sidecar's health \
         and metrics are",
        names::SIDECAR_PORT,
        names::SIDECAR_ADMIN_PORT
    )]
    Port,
    /// No amount of a resource.
    #[error("annotation {annotation}: write an amount such as \"{example}\"")]
    Amount {
        /// Its name.
        annotation: &'static str,
        /// What could be written.
        example: &'static str,
    },
    /// A limit that nothing can run in.
    #[error("annotation {0}: the sidecar does not run with less than {least}", least = LEAST_MEMORY)]
    TooLittle(&'static str),
    /// A limit of none.
    #[error("annotation {0}: nothing runs with a limit of 0. Write an amount, or leave it out")]
    Zero(&'static str),
    /// More is asked for than may be used.
    #[error("annotations {request} and {limit}: the request is more than the limit")]
    RequestAboveLimit {
        /// The annotation with the request.
        request: &'static str,
        /// That with the limit.
        limit: &'static str,
    },
}

impl InvalidWish {
    /// As metrics and logs spell it.
    pub(super) const fn as_str(&self) -> &'static str {
        match self {
            Self::Collections(_) => "invalid-collections",
            Self::Switch(_)
            | Self::Port
            | Self::Amount { .. }
            | Self::TooLittle(_)
            | Self::Zero(_)
            | Self::RequestAboveLimit { .. } => "invalid-annotation",
        }
    }
}

impl<'a> Wishes<'a> {
    /// Reads the annotations.
    pub(super) fn of(pod: &Pod<'a>) -> Result<Self, InvalidWish> {
        let mut collections = BTreeSet::new();
        if let Some(annotation) = pod.annotation(names::COLLECTIONS) {
            collections = named_collections(annotation)?;
        }
        if !switch(pod, names::BASE_URL_ENV)? {
            collections.clear();
        }
        let memory = amounts(pod, names::MEMORY_REQUEST, names::MEMORY_LIMIT, "64Mi")?;
        let least = LEAST_MEMORY.parse().ok();
        if memory.limit.is_some() && memory.limit < least {
            return Err(InvalidWish::TooLittle(names::MEMORY_LIMIT));
        }
        Ok(Self {
            collections,
            port: port(pod)?,
            awaits: switch(pod, names::AWAIT)?,
            after: pod.annotation(names::START_AFTER),
            cpu: amounts(pod, names::CPU_REQUEST, names::CPU_LIMIT, "100m")?,
            memory,
        })
    }
}

fn switch(pod: &Pod<'_>, annotation: &'static str) -> Result<bool, InvalidWish> {
    match pod.annotation(annotation) {
        None | Some("true") => Ok(true),
        Some("false") => Ok(false),
        Some(_) => Err(InvalidWish::Switch(annotation)),
    }
}

fn port(pod: &Pod<'_>) -> Result<u16, InvalidWish> {
    let Some(annotation) = pod.annotation(names::SIDECAR_PORT) else {
        return Ok(names::PROXY_PORT);
    };
    // Lower ports need a capability, and the sidecar has none.
    u16::from_str(annotation)
        .ok()
        .filter(|port| *port >= 1024 && *port != names::SIDECAR_ADMIN_PORT)
        .ok_or(InvalidWish::Port)
}

fn amounts(
    pod: &Pod<'_>,
    request: &'static str,
    limit: &'static str,
    example: &'static str,
) -> Result<Amounts, InvalidWish> {
    let amount = |annotation| {
        let text = pod.annotation(annotation);
        let parsed = text.map(Quantity::from_str).transpose();
        parsed.map_err(|_| InvalidWish::Amount {
            annotation,
            example,
        })
    };
    let given = Amounts {
        request: amount(request)?,
        limit: amount(limit)?,
    };
    if given.limit.as_ref().is_some_and(Quantity::is_zero) {
        return Err(InvalidWish::Zero(limit));
    }
    match (&given.request, &given.limit) {
        (Some(asked), Some(allowed)) if asked > allowed => {
            Err(InvalidWish::RequestAboveLimit { request, limit })
        }
        _ => Ok(given),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn annotated(annotations: &Value) -> Value {
        json!({"metadata": {"annotations": annotations}, "spec": {"containers": []}})
    }

    fn refusal(annotations: &Value) -> InvalidWish {
        let pod = annotated(annotations);
        Wishes::of(&Pod::of(&pod).unwrap()).unwrap_err()
    }

    #[test]
    fn without_annotations_nothing_is_asked() {
        let pod = annotated(&json!({}));
        let wishes = Wishes::of(&Pod::of(&pod).unwrap()).unwrap();
        assert_eq!((wishes.port, wishes.awaits), (2733, true));
        assert!(wishes.collections.is_empty() && wishes.after.is_none());
        assert!(wishes.cpu.request.is_none() && wishes.memory.limit.is_none());
    }

    #[test]
    fn what_cannot_be_followed_is_refused_with_what_to_write() {
        for name in [names::AWAIT, names::BASE_URL_ENV] {
            for value in ["", "no", "False", "0"] {
                assert_eq!(refusal(&json!({name: value})), InvalidWish::Switch(name));
            }
        }
        for value in ["", "http", "80", "1023", "2734", "65536", "-1", "9000/tcp"] {
            let refusal = refusal(&json!({names::SIDECAR_PORT: value}));
            assert_eq!(refusal, InvalidWish::Port, "{value}");
        }
        for (annotation, example) in [
            (names::CPU_REQUEST, "100m"),
            (names::CPU_LIMIT, "100m"),
            (names::MEMORY_REQUEST, "64Mi"),
            (names::MEMORY_LIMIT, "64Mi"),
        ] {
            for value in ["", "much", "-1", "64 Mi", "64MB"] {
                let expected = InvalidWish::Amount {
                    annotation,
                    example,
                };
                assert_eq!(refusal(&json!({annotation: value})), expected, "{value}");
            }
        }
        let zero = refusal(&json!({names::CPU_LIMIT: "0"}));
        assert_eq!(zero, InvalidWish::Zero(names::CPU_LIMIT));
        // The classic: thousandths of a byte.
        let little = refusal(&json!({names::MEMORY_LIMIT: "64m"}));
        assert_eq!(little, InvalidWish::TooLittle(names::MEMORY_LIMIT));
        let swapped = json!({names::MEMORY_REQUEST: "1Gi", names::MEMORY_LIMIT: "512Mi"});
        let expected = InvalidWish::RequestAboveLimit {
            request: names::MEMORY_REQUEST,
            limit: names::MEMORY_LIMIT,
        };
        assert_eq!(refusal(&swapped), expected);
    }

    #[test]
    fn addresses_of_collections_can_be_left_out() {
        let pod = annotated(&json!({names::COLLECTIONS: "openai", names::BASE_URL_ENV: "false"}));
        let wishes = Wishes::of(&Pod::of(&pod).unwrap()).unwrap();
        assert!(wishes.collections.is_empty());
    }
}
