//! Reads the same bytes with the sidecar's codec and with two parsers that
//! share no code with it, and compares what each made of them.
//!
//! ```text
//!            ┌─► ours   at once, byte by byte, at every single cut ─┐
//!   bytes ───┼─► hyper  its server or its client, over memory ──────┼─► compared
//!            └─► kawa   the parser of the proxy Sōzu ───────────────┘
//! ```
//!
//! The codec may refuse what another accepts. What it accepts it must read as
//! they do: the same method, target, status, fields and body, an end at the
//! same byte, and a connection that goes on only where theirs does. Anything
//! else is how requests are smuggled (RFC 9112 §11.2), and stops the run; so does
//! what hyper refuses and the codec accepts, but for targets, which the sidecar
//! judges by other code.

#![forbid(unsafe_code)]

/// The files of the sidecar that are fuzzed. The crate around them takes several
/// minutes to build with coverage counters, they by themselves a few seconds.
#[path = "../../sidecar/src"]
mod sidecar {
    mod authority;
    pub mod http1;
    pub(crate) mod target;
}

pub use sidecar::http1;
use sidecar::target;

pub mod compared;
pub mod hyper_client;
pub mod hyper_server;
pub mod kawa;
pub mod memory;
pub mod ours;
pub mod plain;
pub mod reading;
pub mod rechunked;
pub mod sent;
