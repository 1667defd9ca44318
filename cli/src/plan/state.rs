//! Whether a collection can be called.

use credence_core::reason::Reason;
use credence_core::resolve::Unresolved;

/// Whether a collection can be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It can.
    Ready,
    /// It can, in development with live credentials.
    ReadyWithLive,
    /// It will be able to when there is a token; what is in its way.
    NoToken(String),
    /// Something is missing.
    Unresolved {
        /// What.
        cause: Unresolved,
        /// Variables that would have given it.
        unset: Vec<String>,
        /// The namespace that its Secrets are in, where that is another one.
        elsewhere: Option<String>,
    },
    /// `access.serviceAccounts` leaves out the ServiceAccount of this name.
    Withheld(String),
    /// `namespaceSelector` leaves out this namespace.
    NotSelected(String),
    /// This namespace has a collection of the same name.
    Shadowed(String),
    /// The proxy could not use it, for this reason.
    Refused(String),
}

impl State {
    /// Whether calls of this name are this collection's to answer.
    pub(crate) const fn is_there(&self) -> bool {
        match self {
            Self::Ready
            | Self::ReadyWithLive
            | Self::NoToken(_)
            | Self::Unresolved { .. }
            | Self::Refused(_) => true,
            Self::Withheld(_) | Self::NotSelected(_) | Self::Shadowed(_) => false,
        }
    }

    /// For the table.
    pub(crate) fn word(&self) -> &str {
        match self {
            Self::Ready => "ready",
            Self::ReadyWithLive => "ready (live credentials)",
            Self::NoToken(_) => "no token yet",
            Self::Unresolved { cause, .. } => cause.reason.as_str(),
            Self::Withheld(_) => "withheld",
            Self::NotSelected(_) => "not selected",
            Self::Shadowed(_) => "shadowed",
            Self::Refused(_) => "refused",
        }
    }

    /// What is to be done, where something is.
    pub(crate) fn advice(&self) -> Option<String> {
        match self {
            Self::Ready => None,
            Self::ReadyWithLive => Some(
                "spec.development is absent and spec.developmentFallback is UseLive: \
                 calls have real effects."
                    .to_owned(),
            ),
            Self::Unresolved {
                cause,
                unset,
                elsewhere,
            } => Some(unresolved(
                cause.reason,
                &cause.message,
                unset,
                elsewhere.as_deref(),
            )),
            Self::Withheld(account) => Some(format!(
                "spec.access.serviceAccounts does not name \"{account}\", the ServiceAccount \
                 that calls are made as: choose one that it names with --service-account."
            )),
            Self::NotSelected(namespace) => Some(format!(
                "spec.namespaceSelector does not select namespace \"{namespace}\": the labels that \
                 count are those of its Namespace document."
            )),
            Self::Shadowed(namespace) => Some(format!(
                "Namespace \"{namespace}\" has an ApiCollection of the same name, which is used instead."
            )),
            Self::NoToken(reason) | Self::Refused(reason) => Some(reason.clone()),
        }
    }
}

fn unresolved(reason: Reason, message: &str, unset: &[String], elsewhere: Option<&str>) -> String {
    let mut advice = message.to_owned();
    if reason == Reason::SecretKeyMissing && !unset.is_empty() {
        advice += &format!(" Or set {}.", unset.join(", "));
    }
    if let (Reason::SecretNotFound | Reason::ConfigMapNotFound, Some(namespace)) =
        (reason, elsewhere)
    {
        advice += &format!(" What a cluster collection refers to is in namespace \"{namespace}\".");
    }
    advice
}
