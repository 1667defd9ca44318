//! Percent-encoding.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};

/// What is written as `%XX`: all but the unreserved characters of RFC 3986
/// §2.3, so that the result means the same in every part of a URL.
pub(crate) const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
