//! The proxy over real sockets: a caller's plain connection on one side, a
//! provider with TLS on the other, and nothing else.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

mod binding;
mod bodies;
mod caller;
mod certificates;
mod counting;
mod egress;
mod forwarding;
mod hostile;
mod http2;
mod lifecycle;
mod own_ports;
mod placements;
mod provider;
mod refusals;
mod reuse;
mod rig;
mod signing;
mod streaming;
mod timeouts;
mod tokens;
mod upgrades;
