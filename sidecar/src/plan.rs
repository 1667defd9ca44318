//! What a collection sets on a call, made ready when the bundle is applied:
//! lines and pairs are rendered once, and names are kept in the form in which
//! they are looked for.

pub(crate) mod body;
pub(crate) mod cookies;
mod credentials;
mod headers;
mod json;
mod path;
mod yielding;

use credence_core::bundle::Value;
use credence_core::template::Moment;
use zeroize::Zeroizing;

pub(crate) use body::BodyPlan;
pub(crate) use cookies::CookiePlan;
pub(crate) use credentials::Credentials;
pub(crate) use headers::HeaderPlan;
pub(crate) use path::PathPlan;
pub(crate) use yielding::Yielding;

/// A part of the bundle that cannot be sent. The bundle's maker checks the
/// same; this is the last line before the wire. Nothing of a value is quoted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unplaceable {
    #[error("a header's name is not one")]
    Header,
    #[error("header {0} belongs to the connection")]
    Reserved(String),
    #[error("the value of header {0} holds a control character")]
    HeaderValue(String),
    #[error("a cookie's name is not one")]
    Cookie,
    #[error("the value of cookie {0} holds a semicolon or a control character")]
    CookieValue(String),
    #[error("header Cookie and cookies exclude each other")]
    TwoCookies,
    #[error("a member of the body has no name")]
    Member,
    #[error("what calls are signed with holds what no signature can")]
    Signature,
    #[error("the path holds what no path can, or what servers read in two ways")]
    Path,
}

/// What the value can be: itself, or one of those that it varies between.
fn sample(value: &Value) -> Zeroizing<String> {
    const MOMENT: Moment = Moment {
        unix_seconds: 0,
        random: [0; 16],
    };
    match value {
        Value::Fixed(secret) => Zeroizing::new(secret.expose().to_owned()),
        Value::Varying(varying) => varying.render(&MOMENT),
    }
}

/// RFC 9110 §5.6.2.
fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(is_token_byte)
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Whether a byte ends or breaks a field's value.
fn is_control(byte: u8) -> bool {
    matches!(byte, 0..=8 | 10..=31 | 127)
}
