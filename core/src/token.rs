//! Short-lived credentials: what is asked of a token endpoint, what its answer
//! means, and when to ask again.
//!
//! ```text
//!             decide(record, terms, now)
//!                  │
//!      Wait ◄──────┼──────► Read ──► record.reading()
//!                  ▼
//!                 Ask ──► record.intending() ──► token endpoint
//!                              (a refresh)        │          │
//!                                     record.answered()   record.failing()
//! ```
//!
//! A [`record::Record`] is everything that is kept of a token. Each thing that
//! happens makes another record of it, which is stored before the next thing is
//! done; [`decide::decide`] says what that is.

pub mod account_token;
mod advance;
pub mod answer;
pub mod answer_error;
pub mod base_url_allow;
pub mod decide;
mod document;
pub mod endpoint;
pub mod error_code;
pub mod expiry;
pub(crate) mod fields;
pub(crate) mod fingerprint;
pub mod order;
pub mod path;
pub mod raw_answer;
pub mod record;
pub mod refresh_result;
pub mod refused;
pub mod request;
pub mod setback;
pub mod shape;
pub mod terms;
pub mod token_step;
pub mod told;

pub use account_token::AccountToken;
pub use answer::{Answer, Reading};
pub use answer_error::{AnswerError, AnswerProblem, Remedy};
pub use base_url_allow::{HostPattern, RefusedBaseUrl, base_url_of};
pub use decide::{Ask, Standing, Step};
pub use document::says;
pub use endpoint::{Endpoint, InvalidEndpoint};
pub use error_code::ErrorCode;
pub use order::{Order, Signers};
pub use path::FieldPath;
pub use raw_answer::{RawAnswer, RoundTrip};
pub use record::{Held, Record};
pub use refresh_result::RefreshResult;
pub use request::{Content, Message, MessageError, TokenRequest};
pub use setback::{Failure, Next, Setback, SetbackReason};
pub use shape::{Capture, CaptureFrom, ExpiresKind, Lifetime, Renewal, ResponseShape, Success};
pub use terms::{Digest, Jitter, Spread, Terms};
pub use token_step::TokenStep;
