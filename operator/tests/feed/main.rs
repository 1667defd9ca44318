//! The feed over real TLS and HTTP/2.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

mod acknowledgements;
mod bundles;
mod reports;
mod rig;
mod strangers;
