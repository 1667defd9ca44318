//! The injector over real TLS, as an API server asks it.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

mod reviews;
mod rig;
mod strangers;
