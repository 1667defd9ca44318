//! JSON Web Tokens (RFC 7519): what they say, and their signature.
//!
//! ```text
//! key text, format, algorithm ─► SigningKey ─┐
//! header, claims ────────────────────────────┴─► Signer ─(now)─► JWT
//! ```

pub mod algorithm;
mod found;
pub mod key_format;
mod key_reader;
pub mod signer;
pub mod signing_key;

pub use algorithm::Algorithm;
pub use found::{Found, InvalidKey};
pub use key_format::KeyFormat;
pub use signer::Signer;
pub use signing_key::{SigningFailed, SigningKey};
