//! The broker: obtains tokens, keeps them, and renews them in time.
//!
//! What is done when is decided in `credence_core::token`, which knows neither
//! clock nor network.

pub mod store;
pub mod token_key;

pub use store::{StoreError, Stored, TokenStore, Version};
pub use token_key::TokenKey;
