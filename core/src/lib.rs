//! The domain of Credence, as plain values and pure functions.
//!
//! ```text
//!  Collection ──┐
//!  Material ────┼─► resolve ─► Route ─► Bundle ─► wire ─► Bundle (in the sidecar)
//!  Environment ─┘
//! ```
//!
//! A [`collection::Collection`] is a parsed manifest. Together with the
//! material it refers to (Secrets, ConfigMaps) and an environment it resolves
//! into a [`bundle::Route`]: a base URL and everything that is placed on each
//! call, rendered. The routes that one consumer may use form its
//! [`bundle::Bundle`], and [`wire`] is the only place where the secrets in it
//! are written out.
//!
//! Nothing here does I/O, reads a clock or knows Kubernetes' client.

pub mod base_url;
pub mod bundle;
pub mod call;
pub mod closest;
pub mod collection;
pub mod collection_name;
pub mod cookie;
pub mod environment;
pub mod header_name;
pub mod http_date;
pub mod jwt;
mod key_pair;
pub mod label_selector;
pub mod metric;
pub mod names;
mod pem;
mod percent;
pub mod pkce;
pub mod placement;
pub mod port_claim;
pub mod reason;
pub mod reception;
pub mod resolve;
pub mod secret;
pub mod sigv4;
pub mod template;
pub mod token;
pub mod wire;

pub use base_url::BaseUrl;
pub use collection_name::CollectionName;
pub use environment::Environment;
pub use secret::Secret;
