//! An answer as it came from the wire.

use std::fmt;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use zeroize::Zeroizing;

use crate::{Secret, http_date};

/// The longest wait that a server's `Retry-After` can ask for. What asks for
/// more is mistaken or meant for another client: nobody wants a credential to
/// be away for a day because of one header.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// The longest answer that is stored as it is, in bytes. Stores have limits of
/// their own (a Kubernetes Secret 1 MiB, all in all).
const LONGEST_STORED: usize = 256 * 1024;

/// An answer of a token endpoint before anything is made of it.
///
/// Body and head may both hold tokens, so neither is ever shown.
#[derive(Clone, PartialEq, Eq)]
pub struct RawAnswer {
    /// The status code.
    pub status: u16,
    /// The head's fields in their order, by name in lower case.
    pub headers: Vec<(String, Zeroizing<Vec<u8>>)>,
    /// The body, whole and decoded as far as the transfer goes.
    pub body: Zeroizing<Vec<u8>>,
}

/// When a request was sent and its answer was complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoundTrip {
    /// Just before the first byte went out: no token's life began earlier.
    pub sent: Timestamp,
    /// Once the last byte was here.
    pub received: Timestamp,
}

impl RawAnswer {
    /// What an endpoint would answer that gives this token and nothing else.
    pub fn of_token(token: &Secret) -> Self {
        Self {
            status: 200,
            headers: Vec::new(),
            body: Zeroizing::new(token.expose().as_bytes().to_vec()),
        }
    }

    /// Whether it can be stored as it is.
    pub fn is_storable(&self) -> bool {
        let head = self.headers.iter();
        let head: usize = head.map(|(name, value)| name.len() + value.len()).sum();
        head + self.body.len() <= LONGEST_STORED
    }

    /// Whether the status is one of success.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The first field of this name, given in lower case, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.fields(name).next()
    }

    fn fields(&self, name: &str) -> impl DoubleEndedIterator<Item = &str> {
        self.headers
            .iter()
            .filter(move |(found, _)| found == name)
            .filter_map(|(_, value)| std::str::from_utf8(value).ok().map(str::trim))
    }

    /// The value of the cookie of this name that the answer sets (RFC 6265
    /// §5.2), of several the last.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.fields("set-cookie").rev().find_map(|field| {
            let pair = field.split(';').next()?;
            let (found, value) = pair.split_once('=')?;
            (found.trim() == name).then(|| value.trim())
        })
    }

    /// For how long the server does not want to be asked again (RFC 9110
    /// §10.2.3), an hour at most.
    pub fn retry_after(&self, received: Timestamp) -> Option<Duration> {
        let text = self.header("retry-after")?;
        let wait = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            // What is too long for a number is too long to wait for, too.
            Duration::from_secs(text.parse().unwrap_or(u64::MAX))
        } else {
            // By the server's own clock, where it says what that shows.
            let from = self.date().unwrap_or(received);
            Duration::try_from(http_date::parse(text)?.duration_since(from)).unwrap_or_default()
        };
        Some(wait.min(LONGEST_RETRY_AFTER))
    }

    /// How far the server's clock is ahead of ours: what the round trip cannot
    /// explain. Zero where it does not tell.
    pub fn clock_skew(&self, round_trip: RoundTrip) -> SignedDuration {
        let Some(date) = self.date() else {
            return SignedDuration::ZERO;
        };
        // `Date` has whole seconds, so it may be up to one second behind.
        let latest = date.saturating_add(SignedDuration::from_secs(1));
        match latest {
            Ok(latest) if latest < round_trip.sent => latest.duration_since(round_trip.sent),
            _ if date > round_trip.received => date.duration_since(round_trip.received),
            _ => SignedDuration::ZERO,
        }
    }

    fn date(&self) -> Option<Timestamp> {
        self.header("date").and_then(http_date::parse)
    }
}

impl fmt::Debug for RawAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (status, length) = (self.status, self.body.len());
        write!(f, "RawAnswer({status}, {length} bytes)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(headers: &[(&str, &str)]) -> RawAnswer {
        RawAnswer {
            status: 200,
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec().into()))
                .collect(),
            body: b"secret-body".to_vec().into(),
        }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn debug_shows_neither_head_nor_body() {
        let shown = format!("{:?}", answer(&[("set-cookie", "secret-cookie")]));
        assert_eq!(shown, "RawAnswer(200, 11 bytes)");
    }

    #[test]
    fn the_last_cookie_of_a_name_counts() {
        let answer = answer(&[
            ("set-cookie", "B1SESSION=old; Path=/"),
            ("set-cookie", "ROUTEID=.node1"),
            ("set-cookie", "B1SESSION=new=1; HttpOnly; Path=/b1s"),
        ]);
        assert_eq!(answer.cookie("B1SESSION"), Some("new=1"));
        assert_eq!(answer.cookie("ROUTEID"), Some(".node1"));
        assert_eq!(answer.cookie("Path"), None);
    }

    #[test]
    fn retry_after_is_seconds_or_a_time_and_has_a_cap() {
        let received = at("2026-01-01T00:00:00Z");
        let wait = |headers: &[(&str, &str)]| answer(headers).retry_after(received);
        let seconds = |n| Some(Duration::from_secs(n));
        assert_eq!(wait(&[("retry-after", "120")]), seconds(120));
        assert_eq!(wait(&[("retry-after", "86400")]), seconds(3600));
        assert_eq!(
            wait(&[("retry-after", "99999999999999999999999")]),
            seconds(3600)
        );
        let time = ("retry-after", "Thu, 01 Jan 2026 00:01:30 GMT");
        assert_eq!(wait(&[time]), seconds(90));
        // The server's clock is a minute ahead: it means thirty seconds.
        let date = ("date", "Thu, 01 Jan 2026 00:01:00 GMT");
        assert_eq!(wait(&[time, date]), seconds(30));
        let past = ("retry-after", "Wed, 31 Dec 2025 00:00:00 GMT");
        assert_eq!(wait(&[past]), seconds(0));
        for nonsense in ["", "-1", "1.5", "soon"] {
            assert_eq!(wait(&[("retry-after", nonsense)]), None, "{nonsense}");
        }
    }

    #[test]
    fn only_what_the_round_trip_cannot_explain_is_clock_skew() {
        let round_trip = RoundTrip {
            sent: at("2026-01-01T00:00:10.5Z"),
            received: at("2026-01-01T00:00:30Z"),
        };
        for (date, expected) in [
            ("Thu, 01 Jan 2026 00:00:10 GMT", SignedDuration::ZERO),
            ("Thu, 01 Jan 2026 00:00:30 GMT", SignedDuration::ZERO),
            (
                "Thu, 01 Jan 2026 00:02:30 GMT",
                SignedDuration::from_secs(120),
            ),
            (
                "Wed, 31 Dec 2025 23:59:59 GMT",
                SignedDuration::from_millis(-10_500),
            ),
            ("nonsense", SignedDuration::ZERO),
        ] {
            let skew = answer(&[("date", date)]).clock_skew(round_trip);
            assert_eq!(skew, expected, "{date}");
        }
        assert_eq!(answer(&[]).clock_skew(round_trip), SignedDuration::ZERO);
    }
}
