//! A collection resolved for one environment of its namespace.

use std::sync::Arc;

use credence_core::Environment;
use credence_core::bundle::{Entry, Token, Unavailable};
use credence_core::collection::{Collection, Verification};
use credence_core::resolve::{Material, Warning, resolve};
use credence_core::token::Order;
use credence_crds::condition::reason;
use jiff::Timestamp;

use crate::revision::{Inputs, SourceKind};

/// What the objects that a collection refers to were found to be.
#[derive(Debug)]
pub enum Gathered {
    /// They were read, as far as they exist.
    Material(Material),
    /// Objects of this kind may not be read in a namespace.
    Forbidden {
        /// The kind.
        kind: SourceKind,
        /// That namespace.
        namespace: String,
        /// The command that allows it.
        command: String,
    },
}

/// The outcome for one environment. Equal inputs have equal outcomes until
/// `changes_at`, so it is made again only then or when they change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// What it was made from.
    pub inputs: Inputs,
    /// Identifies the entry.
    pub revision: String,
    /// What sidecars are sent.
    pub entry: Entry,
    /// What is asked of a token endpoint, where calls need a token. No sidecar
    /// is sent that.
    pub order: Option<Arc<Order>>,
    /// The call that verifies the credential, if it shall be verified.
    pub verification: Option<Arc<Verification>>,
    /// Name of the Secret in use.
    pub secret: Option<String>,
    /// When its values were last written.
    pub secret_written_at: Option<Timestamp>,
    /// Whether these are live settings used in development.
    pub uses_live_fallback: bool,
    /// Name of the Secret with the client certificate.
    pub certificate_secret: Option<String>,
    /// When the client certificate ceases to be valid, if there is one.
    pub certificate_not_after: Option<Timestamp>,
    /// What should be looked at although there is a route.
    pub warnings: Vec<Warning>,
    /// When the outcome will be another by time alone, if it will.
    pub changes_at: Option<Timestamp>,
    /// Why there is no route, if there is none.
    pub problem: Option<Problem>,
}

/// Why a collection cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// For the condition: from a closed list.
    pub reason: &'static str,
    /// What is wrong and what to do.
    pub message: String,
}

impl Resolution {
    /// Resolves a collection with what was gathered for it.
    pub fn of(
        collection: &Collection,
        inputs: Inputs,
        gathered: &Gathered,
        now: Timestamp,
    ) -> Self {
        let material = match gathered {
            Gathered::Material(material) => material,
            Gathered::Forbidden {
                kind,
                namespace,
                command,
            } => {
                let problem = Problem {
                    reason: reason::ACCESS_FORBIDDEN,
                    message: format!(
                        "The operator may not get, list and watch {} in namespace \"{namespace}\": it needs all \
                         of them, so a Role with resourceNames does not do. Allow it: {command}",
                        kind.resource()
                    ),
                };
                return Self::unavailable(inputs, Unavailable::CredentialsMissing, Some(problem));
            }
        };
        match resolve(collection, inputs.environment, material, now) {
            Ok(resolved) => Self {
                secret_written_at: (resolved.secret.as_ref())
                    .and_then(|name| material.secrets.get(name)?.written_at),
                revision: inputs.revision(resolved.route.period().as_deref()),
                inputs,
                entry: Entry::Ready(Arc::new(resolved.route)),
                order: resolved.order.map(Arc::new),
                verification: collection.verification.clone().map(Arc::new),
                secret: resolved.secret,
                uses_live_fallback: resolved.uses_live_fallback,
                certificate_secret: resolved.certificate_secret,
                certificate_not_after: resolved.certificate_not_after,
                warnings: resolved.warnings,
                changes_at: resolved.changes_at,
                problem: None,
            },
            Err(unresolved) => {
                let problem = Problem {
                    reason: unresolved.reason.as_str(),
                    message: unresolved.message,
                };
                let unavailable = unresolved.reason.unavailable();
                Self {
                    changes_at: unresolved.changes_at,
                    ..Self::unavailable(inputs, unavailable, Some(problem))
                }
            }
        }
    }

    /// What stands for a collection whose manifest cannot be used.
    pub fn rejected(inputs: Inputs) -> Self {
        Self::unavailable(inputs, Unavailable::NotReady, None)
    }

    fn unavailable(inputs: Inputs, unavailable: Unavailable, problem: Option<Problem>) -> Self {
        Self {
            revision: inputs.revision(problem.as_ref().map(|problem| problem.reason)),
            inputs,
            entry: Entry::Unavailable(unavailable),
            order: None,
            verification: None,
            secret: None,
            secret_written_at: None,
            uses_live_fallback: false,
            certificate_secret: None,
            certificate_not_after: None,
            warnings: Vec::new(),
            changes_at: None,
            problem,
        }
    }

    /// Whether calls can be made.
    pub fn is_ready(&self) -> bool {
        match self.entry {
            Entry::Ready(_) => true,
            Entry::Unavailable(_) | Entry::Unsupported(_) => false,
        }
    }

    /// The environment under which its token is kept: that of the settings it is
    /// obtained with. Live settings in development are the same grant, and two
    /// keepers of one refresh token would use it up for each other.
    pub const fn token_environment(&self) -> Environment {
        match self.uses_live_fallback {
            true => Environment::Live,
            false => self.inputs.environment,
        }
    }

    /// Whether calls can be made with a token.
    pub fn takes(&self, token: &Token) -> bool {
        match &self.entry {
            Entry::Ready(route) => route.bind(token).is_ok(),
            Entry::Unavailable(_) | Entry::Unsupported(_) => false,
        }
    }

    /// Whether an object was looked for to make it.
    pub fn refers_to(&self, kind: SourceKind, name: &str) -> bool {
        self.inputs
            .objects
            .keys()
            .any(|(of, named)| *of == kind && named == name)
    }
}
