//! The feed: how a sidecar gets its bundle.
//!
//! ```text
//! connect ─► attempts ─► claims ─► reviews ─► identity ─┐
//!                                              pods ────┼─► consumer ─► stream ─► issue ─► wire
//!                                 catalogue (shelf) ────┘                 │ ack, report
//!                                                             streams ◄───┘ ─► status.feeds
//! ```
//!
//! Who is asking is decided by the API server (`identity`), whether he may ask
//! by his pod (`consumer`), what he gets by his namespace's shelf (`issue`):
//! three pure functions. Everything else is transport.
//!
//! Anyone in the cluster may knock. What that costs is bounded before it is
//! known who it is: connections by `arrivals`, failures by `attempts`, both for
//! each address, and what is plainly no token of ours by `claims`.

pub mod allowance;
pub mod attempts;
pub mod claims;
pub mod consumer;
pub mod identity;
pub mod issue;
mod pace;
pub mod refusal;
mod reports;
pub mod reviews;
pub mod service;
pub mod stream;
pub mod streams;
