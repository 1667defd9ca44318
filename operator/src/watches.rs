//! What the operator sees of the cluster.
//!
//! Every watch is as narrow as its use: namespaces and Secrets by their
//! metadata only, pods pruned while they are decoded.

pub mod access;
pub mod bounds;
pub mod marker;
pub mod mirror;
pub mod namespaces;
pub mod pods;
pub mod retry;
pub mod sources;
