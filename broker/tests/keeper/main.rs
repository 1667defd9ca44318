//! Keepers between a provider that counts and a store that survives them.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

mod crash;
mod crowd;
mod fault;
mod life;
mod provider;
mod rig;
mod rivals;
