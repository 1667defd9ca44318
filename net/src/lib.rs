//! Dialling, for everything in Credence that opens a connection.
//!
//! ```text
//!  host ─► resolve ─► guard every address ─► race (happy eyeballs) ─► TCP ─► TLS
//! ```
//!
//! [`dial::Dialer`] turns a host and a port into a TCP connection; what it
//! connects to is what [`guard::Guard`] has looked at, address by address, so
//! that a name cannot be pointed elsewhere between the look and the call. Where
//! the network wants it, [`egress::Egress`] has a proxy do all but the last step.
//! [`tls`] builds client configurations and completes handshakes.
//!
//! What has connections with credentials on them holds credentials:
//! [`hardening`] keeps the memory of such a process to itself.
//!
//! Errors are grouped by whose fault they are, because that is what a caller
//! is told: the name or its network ([`DialError`]), our own refusal
//! ([`guard::Refused`]), the peer's certificate or protocol
//! ([`HandshakeError`]), or the configured roots and certificate
//! ([`tls::TlsError`]). None of them quotes what a peer or a manifest sent.

pub mod dial;
pub mod egress;
pub mod guard;
pub mod handshake;
pub mod hardening;
pub mod identity;
pub mod network;
mod resolve;
pub mod roots;
pub mod tls;

pub use dial::{DialError, Dialer};
pub use egress::{Egress, InvalidEgress};
pub use guard::{Guard, Refused};
pub use handshake::{HandshakeError, handshake};
pub use identity::{Identity, IdentityError};
pub use network::{InvalidNetwork, Network};
pub use roots::TrustError;
pub use tls::TlsError;
