//! The manifests in `examples/`: each collection can be called in both
//! environments with nothing but what stands beside it, and calls satisfy what
//! its provider's documentation demands.

#![expect(
    clippy::unwrap_used,
    reason = "what fails outside a #[test] fails the test all the same"
)]

mod calls;
mod demands;
mod grants;
mod judge;
mod jwt;
mod keys;
mod manifests;
mod obtain;
mod provider;
mod signature;
mod token_demands;
mod tokens;
