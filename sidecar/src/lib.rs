//! The proxy that adds credentials to a pod's outgoing calls.
//!
//! ```text
//!            gate      target     table        authorized        exchange
//!  client ─► local? ─► route? ─► collection ─► credential on ─► upload   ─► provider
//!         ◄───────────────────────────────── answer ◄────────── download ◄─
//! ```
//!
//! [`Proxy::bind`] takes the loopback addresses, [`Handle::apply`] gives it a
//! bundle, [`Bound::run`] serves. A bundle is compiled when it is applied, so
//! that a request costs the same whatever is in it.
//!
//! Each client connection is one task, which moves both directions of an
//! exchange itself; there is no task and no timer for a request. A stream of
//! HTTP/2 is such a connection with one request. [`http1`] is the syntax alone.
//! A provider's connection accepts nothing but a request on which the
//! credential has been placed.

pub mod admin;
mod answer;
mod authority;
mod authorized;
mod aws_error;
mod bind;
mod body_copy;
mod budget;
mod buffer;
mod collect;
mod connection;
mod deadline;
mod decision;
mod destination;
mod entrance;
mod exchange;
pub mod feed;
mod gate;
pub mod http1;
mod http2;
mod index;
mod limits;
mod line;
mod listener;
pub mod logs;
pub mod metrics;
mod moment;
mod own_ports;
mod plan;
mod problem;
mod proxy;
mod pump;
mod redirect;
mod refusal;
mod replay;
pub mod run;
mod session;
pub mod settings;
mod shared;
pub mod shutdown;
mod signer;
mod slug;
mod standing;
mod table;
mod target;
mod tunnel;
mod upgrade;
mod upstream;
mod whole_body;

pub use credence_net::{Egress, InvalidEgress, hardening};
pub use limits::{ProxySettings, Timeouts};
pub use proxy::{BindError, Bound, Handle, Proxy};
pub use slug::Slug;
pub use standing::Refusals;
