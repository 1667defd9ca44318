//! The operator's own certificates.
//!
//! ```text
//!              ┌── keeper ──► authority (mint) ──► Secret ──┐
//!   rotation ──┘   (leader, or whoever finds none)          │ watch
//!      ▲                                                    ▼
//!   ca_bundle ◄── trust ──────────────────────── authorities (every replica)
//!   (leader)              resolver, injector ◄──────────────┘
//! ```
//!
//! One Secret holds the current certificate authority, the one that follows it
//! during a rotation, and those before it that a pod still trusts, each with a
//! leaf. Every replica watches it, so that all of them serve the same; a change
//! is taken over without a restart. A sidecar says by the server name which
//! authority it trusts, and is served that one's leaf.

pub mod authorities;
pub mod authority;
pub mod ca_bundle;
pub mod held;
pub mod keeper;
pub mod names;
pub mod resolver;
pub mod rotation;

pub use authorities::Authorities;
