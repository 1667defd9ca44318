//! Short-lived credentials: what is asked of a token endpoint, what its answer
//! means, and when to ask again.

pub mod path;
pub mod shape;

pub use path::FieldPath;
pub use shape::{Capture, CaptureFrom, ExpiresKind, Lifetime, ResponseShape, Success};
