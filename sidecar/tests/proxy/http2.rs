//! HTTP/2 on either side, or on both.

mod abuse;
mod bodies;
pub(crate) mod caller;
mod connections;
mod crossing;
mod ends;
mod frames;
mod life;
pub(crate) mod provider;
mod refusals;
