//! Short-lived credentials: what is asked of a token endpoint, what its answer
//! means, and when to ask again.

pub mod answer;
pub mod answer_error;
pub mod base_url_allow;
mod document;
pub mod error_code;
pub mod expiry;
pub mod path;
pub mod raw_answer;
pub mod shape;

pub use answer::{Answer, Reading};
pub use answer_error::{AnswerError, AnswerProblem, Remedy};
pub use base_url_allow::{HostPattern, RefusedBaseUrl, base_url_of};
pub use error_code::ErrorCode;
pub use path::FieldPath;
pub use raw_answer::{RawAnswer, RoundTrip};
pub use shape::{Capture, CaptureFrom, ExpiresKind, Lifetime, Renewal, ResponseShape, Success};
