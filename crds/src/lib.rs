//! The custom resource of Credence, and how it becomes a value of the domain.
//!
//! [`ApiCollection`] is what Kubernetes stores: every field may be absent, every
//! text unread. `Collection::try_from(&object)` reads all of it and either
//! gives a [`credence_core::collection::Collection`] or everything that is
//! wrong, with field paths. The API server refuses most of that before: the
//! schema and its rules are generated from the same types.
//!
//! `yaml/` holds the definition as it is installed. It is generated
//! (`cargo run -p credence-crds --example generate`), and a test compares.

mod access;
mod api_collection;
mod auth;
pub mod condition;
mod conversion;
mod environment_settings;
mod named_value;
mod rejected;
mod rule;
mod schema;
mod status;

pub use access::Access;
pub use api_collection::{ApiCollection, ApiCollectionSpec, DevelopmentFallback};
pub use auth::{ApiKey, Auth, Basic, NoCredential, Place};
pub use environment_settings::{CaKind, CaRef, EnvironmentSettings, SecretRef};
pub use named_value::{HeaderValue, OnConflict, QueryValue};
pub use rejected::{Problem, Rejected};
pub use schema::definition;
pub use status::{
    ApiCollectionStatus, EnvironmentName, EnvironmentStatus, FeedStatus, MethodName, SidecarStatus,
};
