//! The custom resources of Credence, and how they become values of the domain.
//!
//! [`ApiCollection`] and [`ClusterApiCollection`] are what Kubernetes stores:
//! every field may be absent, every text unread. `Collection::try_from(&object)` reads all of it and either
//! gives a [`credence_core::collection::Collection`] or everything that is
//! wrong, with field paths. The API server refuses most of that before: the
//! schema and its rules are generated from the same types.
//!
//! `yaml/` holds the definitions as they are installed. They are generated
//! (`cargo run -p credence-crds --example generate`), and a test compares.

mod access;
mod api_collection;
mod auth;
mod call_settings;
mod cluster_api_collection;
pub mod condition;
mod conversion;
mod environment_settings;
mod jwt;
mod label_selector;
mod named_value;
mod refusal;
mod rejected;
mod rule;
mod schema;
mod status;
mod token;
mod verification;

pub use access::Access;
pub use api_collection::{ApiCollection, ApiCollectionSpec, DevelopmentFallback};
pub use auth::{
    ApiKey, Auth, AwsSigV4, Basic, ClientCertificate, NoCredential, Place, SignedPayload,
};
pub use call_settings::{Forwarding, Timeouts};
pub use cluster_api_collection::{ClusterApiCollection, ClusterApiCollectionSpec};
pub use environment_settings::{CaKind, CaRef, EnvironmentSettings, SecretRef};
pub use jwt::{Jwt, JwtAlgorithm, KeyFormat, SignedJwt};
pub use label_selector::{LabelOperator, LabelRequirement, LabelSelector};
pub use named_value::{HeaderValue, OnConflict, QueryValue};
pub use refusal::{RefreshOn, RetryOnUnauthorized};
pub use rejected::{Problem, Rejected};
pub use schema::{cluster_definition, definition};
pub use status::{
    ApiCollectionStatus, CertificateStatus, EnvironmentName, EnvironmentStatus, FeedStatus,
    MethodName, RejectedCredential, SidecarStatus, TokenStatus,
};
pub use token::{
    BodyFormat, Capture, ClientAuthentication, ExpiresKind, HttpMethod, JwtBearer,
    Oauth2ClientCredentials, Oauth2CustomToken, Oauth2Password, Oauth2RefreshToken,
    ServiceAccountToken, Success, Token, TokenClient, TokenExchange, TokenHeader, TokenLifetime,
    TokenPlace, TokenPlacement, TokenRefresh, TokenResponse, TokenStep,
};
pub use verification::{Verification, VerificationMethod};
