//! The operator's own certificates.
//!
//! ```text
//!              ┌── keeper ──► authority (mint) ──► Secret ──┐
//!   renewal ───┘   (leader, or whoever finds none)          │ watch
//!                                                           ▼
//!   ca_bundle ◄── held ──────────────────────────────── held (every replica)
//!   (leader)       └──► resolver ──► TLS of webhook and feed
//! ```
//!
//! One Secret holds a certificate authority and the one leaf that webhook and
//! feed are served with. Every replica watches it, so that all of them serve
//! the same leaf; a change is taken over without a restart.

pub mod authority;
pub mod ca_bundle;
pub mod held;
pub mod keeper;
pub mod names;
pub mod renewal;
pub mod resolver;

pub use held::Held;
