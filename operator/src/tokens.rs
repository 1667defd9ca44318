//! Tokens of the cluster: obtained by one replica, known to all.
//!
//! ```text
//! catalogue ─ orders ─► keepers (leader) ─► token endpoints
//!     ▲                    │ compare-and-swap
//!     │                    ▼
//!     └── follow ◄── state Secrets of the operator's namespace ──► every replica
//! ```
//!
//! That an API refuses a token is written there, too, by the replica that a
//! sidecar tells it (`refusals`); the one that leads renews the token.
//!
//! A token that is exchanged for a ServiceAccount's is asked of the API server
//! first (`cluster_accounts`), each time, and kept nowhere.
//!
//! What a replica hands out is what a state Secret holds: a token was stored
//! before any sidecar can have it, and a new leader begins where the last one
//! was interrupted.

pub mod cluster_accounts;
pub mod counted;
pub mod follow;
pub mod keepers;
pub mod refusals;
pub mod secret_store;
pub mod state_secret;

#[cfg(test)]
pub(crate) mod tests;
