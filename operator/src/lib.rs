//! The Kubernetes operator: controller, injector and feed in one program, of
//! which two or more replicas run.
//!
//! ```text
//!   API server ──watch──► watches ──► catalogue ◄── controller ──► status
//!       │                    │            │        gather, plan, carry out
//!       │                    └────────► feed ◄──────── sidecars (8444)
//!       └──AdmissionReview──────────► injector (8443)
//!   Secret ◄──► certificates ──► TLS of both, caBundle
//! ```
//!
//! All replicas watch, plan, inject and serve the feed; the one that holds the
//! Lease writes the status, the certificates and `caBundle`, keeps tokens and
//! verifies credentials. What is decided
//! is decided in pure functions: [`inject::decide`], `controller::plan`,
//! [`feed::identity::identify`], [`feed::consumer::admit`],
//! [`feed::issue::issue`], [`certificates::rotation::decide`].
//!
//! # Rights
//!
//! What the operator asks of the API server, and why. Everything else is
//! refused to it.
//!
//! | where | resource | verbs | why |
//! |---|---|---|---|
//! | cluster | apicollections, clusterapicollections | list, watch | they are what is served |
//! | cluster | the status of both | patch | conditions; each replica's own `feeds` |
//! | cluster | namespaces | list, watch | environments, and which cluster collections select them; metadata only |
//! | cluster | pods | get, list, watch | who may have a bundle; `get` for a pod that connects before the watch shows it, and for replicas that are gone |
//! | cluster | limitranges, resourcequotas | list, watch | what a namespace demands of the sidecar's resources |
//! | cluster | tokenreviews | create | who connects to the feed |
//! | cluster | events | create | what changed, for `kubectl describe` |
//! | cluster | mutatingwebhookconfigurations, by name | list, watch, patch | `caBundle` |
//! | each credential namespace, and the one of the cluster's credentials | secrets, configmaps | get, list, watch | the credentials; watched by metadata, read by name |
//! | own namespace | secrets | get, list, watch, create, update, delete | the certificates, and what is kept of tokens |
//! | own namespace | leases, by name | get, patch | which replica leads |
//! | own namespace | leases | create | the first Lease |
//!
//! It also asks who it is (SelfSubjectReview), which every account may.

pub mod admin;
pub mod admission;
pub mod arrivals;
pub mod catalogue;
pub mod certificates;
pub mod collection_key;
pub mod controller;
pub mod digest;
pub mod events;
pub mod feed;
pub mod feed_status;
pub mod inject;
pub mod lease;
pub mod log;
pub mod metrics;
pub mod queue;
pub mod random;
pub mod readiness;
pub mod resolution;
pub mod revision;
pub mod run;
pub mod server;
pub mod settings;
pub mod shares;
pub mod shutdown;
pub mod tasks;
pub mod tokens;
pub mod verification;
pub mod watches;
pub mod webhook;
