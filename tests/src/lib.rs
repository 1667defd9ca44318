//! A real Kubernetes on this machine, from nothing, and what the end-to-end
//! cases need to look into it.
//!
//! ```text
//! packages, thirdparty ─► programs ┐
//! pki ─► kubeconfigs ──────────────┼─► control_plane ─► node ─► Cluster ─► cases
//! images ─► ctr import ────────────┘                              │
//!                 teardown ◄── state folder (pids, sysctls) ◄─────┘
//! ```
//!
//! Everything that must be undone is written to the state folder *before or
//! as* it is done, and the network interface [`state::LINK`] carries the
//! folder's path. So [`teardown`] works from another process, after a crash
//! and after a failed start, and may be run as often as one likes.
//!
//! The harness is blocking: its work is starting programs and waiting for
//! them. It looks at the cluster through `kubectl` and `helm`, as a user does.

pub mod bound_token;
pub mod cgroups;
pub mod cluster;
pub mod collect;
pub mod control_plane;
pub mod credence;
pub mod feed;
pub mod image;
pub mod images;
pub mod interrupt;
pub mod javascript;
pub mod kubectl;
pub mod leader;
pub mod memory;
pub mod network;
pub mod node;
pub mod packages;
pub mod pki;
pub mod process;
pub mod programs;
pub mod python;
pub mod rights;
pub mod session;
pub mod shop;
pub mod state;
pub mod stolen;
pub mod stopped;
pub mod suspension;
pub mod sysctls;
pub mod tar;
pub mod teardown;
pub mod thirdparty;
pub mod token;
pub mod wait;

pub use cluster::Cluster;
pub use credence_leaks as leaks;
