//! Times as HTTP writes them (RFC 9110 §5.6.7).

use jiff::Timestamp;
use jiff::fmt::{rfc2822, strtime};
use jiff::tz::TimeZone;

/// The two forms that are obsolete, and that a recipient must still accept.
const OBSOLETE: [&str; 2] = ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];

/// Reads the value of `Date`, or of a `Retry-After` that is a time.
pub fn parse(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    rfc2822::DateTimeParser::new()
        .parse_timestamp(text)
        .ok()
        .or_else(|| {
            OBSOLETE.iter().find_map(|form| {
                let civil = strtime::parse(form, text).ok()?.to_datetime().ok()?;
                TimeZone::UTC.to_timestamp(civil).ok()
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 9110 §5.6.7.
    #[test]
    fn all_three_forms_are_read() {
        let expected: Timestamp = "1994-11-06T08:49:37Z".parse().unwrap();
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            " Sun, 06 Nov 1994 08:49:37 GMT ",
        ] {
            assert_eq!(parse(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn anything_else_is_no_time() {
        for text in ["", "0", "120", "now", "Sun, 06 Nov 1994", "06.11.1994"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
