//! When a token ends.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use zeroize::Zeroizing;

use super::raw_answer::RoundTrip;
use super::shape::{ExpiresKind, Lifetime, Renewal};

/// For tokens that state no expiry and that can be had anew at any time: five
/// minutes less than the hour that most providers mean.
const ASSUMED: Duration = Duration::from_secs(3300);

/// From here on `Auto` takes a number for seconds since the epoch: thirty years
/// are no lifetime.
const EPOCH_SECONDS: f64 = 1e9;

/// From here on `Auto` takes a number for milliseconds since the epoch.
const EPOCH_MILLISECONDS: f64 = 1e11;

/// What the provider's clock may be off before times of its own are corrected
/// by it, and before anybody is told.
pub const TOLERATED_SKEW: SignedDuration = SignedDuration::from_secs(30);

/// The end of a token: what the answer states, else what the token says of
/// itself if it is a JWT, else what the manifest assumes, else an assumption of
/// ours where a token can be had anew. `None` means until it is refused.
pub(super) fn expires_at(
    stated: Option<&Value>,
    kind: ExpiresKind,
    token: &str,
    lifetime: &Lifetime,
    renewal: Renewal,
    clock: Clock,
) -> Option<Timestamp> {
    let assumed = lifetime.default.or(match renewal {
        Renewal::Anew => Some(ASSUMED),
        Renewal::ByRefreshToken => None,
    });
    stated
        .and_then(|value| read(value, kind, clock))
        .or_else(|| jwt_expiry(token).map(|end| clock.ours(end)))
        .or_else(|| clock.after(SignedDuration::try_from(assumed?).ok()?))
}

/// By which clock times are read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    /// When the request was sent: a token may be as old as that.
    sent: Timestamp,
    /// How far the provider's clock is ahead of ours.
    skew: SignedDuration,
}

impl Clock {
    pub(super) fn new(round_trip: RoundTrip, skew: SignedDuration) -> Self {
        let skew = if skew.abs() > TOLERATED_SKEW {
            skew
        } else {
            SignedDuration::ZERO
        };
        Self {
            sent: round_trip.sent,
            skew,
        }
    }

    fn after(self, lifetime: SignedDuration) -> Option<Timestamp> {
        self.sent.checked_add(lifetime).ok()
    }

    /// A time of the provider's by our clock.
    fn ours(self, time: Timestamp) -> Timestamp {
        time.saturating_sub(self.skew).unwrap_or(time)
    }
}

/// What an answer states, if it can be understood. A lifetime of nothing, or
/// less, is how some providers write that they state none.
fn read(value: &Value, kind: ExpiresKind, clock: Clock) -> Option<Timestamp> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.trim().to_owned(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    let number = || {
        let number: f64 = text.parse().ok()?;
        (number.is_finite() && number > 0.0).then_some(number)
    };
    let within = |seconds: f64| {
        SignedDuration::try_from_secs_f64(seconds)
            .ok()
            .and_then(|lifetime| clock.after(lifetime))
    };
    let since_epoch = |seconds: f64| {
        let since = SignedDuration::try_from_secs_f64(seconds).ok()?;
        let time = Timestamp::from_duration(since).ok()?;
        Some(clock.ours(time))
    };
    match kind {
        ExpiresKind::Seconds => within(number()?),
        ExpiresKind::Milliseconds => within(number()? / 1e3),
        ExpiresKind::EpochSeconds => since_epoch(number()?),
        ExpiresKind::EpochMilliseconds => since_epoch(number()? / 1e3),
        ExpiresKind::Rfc3339 => time(&text).map(|time| clock.ours(time)),
        ExpiresKind::DaysHoursMinutes => clock.after(days_hours_minutes(&text)?),
        ExpiresKind::Auto => match number() {
            Some(number) if number >= EPOCH_MILLISECONDS => since_epoch(number / 1e3),
            Some(number) if number >= EPOCH_SECONDS => since_epoch(number),
            Some(number) => within(number),
            None => time(&text).map(|time| clock.ours(time)),
        },
    }
}

/// A time of RFC 3339; one without an offset is UTC.
fn time(text: &str) -> Option<Timestamp> {
    let utc = || {
        let civil: DateTime = text.parse().ok()?;
        TimeZone::UTC.to_timestamp(civil).ok()
    };
    text.parse().ok().or_else(utc)
}

/// `1:02:30` is a day, two hours and a half.
fn days_hours_minutes(text: &str) -> Option<SignedDuration> {
    let mut parts = text.split(':').map(|part| part.parse::<u32>().ok());
    let (days, hours, minutes) = (parts.next()??, parts.next()??, parts.next()??);
    if parts.next().is_some() {
        return None;
    }
    let minutes = (i64::from(days) * 24 + i64::from(hours)) * 60 + i64::from(minutes);
    (minutes > 0).then(|| SignedDuration::from_secs(minutes * 60))
}

/// The claim `exp` of a token that has the shape of a JWT (RFC 7519 §4.1.4). It
/// is not verified: who lies here ends his own token.
fn jwt_expiry(token: &str) -> Option<Timestamp> {
    let mut parts = token.split('.');
    let (_header, claims, _signature) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let claims = URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?;
    let claims: Value = serde_json::from_slice(&Zeroizing::new(claims)).ok()?;
    let exp = SignedDuration::try_from_secs_f64(claims.get("exp")?.as_f64()?).ok()?;
    Timestamp::from_second(exp.as_secs()).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SENT: &str = "2026-01-01T00:00:00Z";

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn clock(skew: i64) -> Clock {
        let round_trip = RoundTrip {
            sent: at(SENT),
            received: at("2026-01-01T00:00:05Z"),
        };
        Clock::new(round_trip, SignedDuration::from_secs(skew))
    }

    fn stated(kind: ExpiresKind, value: &Value) -> Option<Timestamp> {
        read(value, kind, clock(0))
    }

    fn jwt(claims: &Value) -> String {
        let claims = URL_SAFE_NO_PAD.encode(claims.to_string());
        format!("eyJhbGciOiJSUzI1NiJ9.{claims}.c2ln")
    }

    #[test]
    fn auto_reads_every_dialect_by_its_looks() {
        for (value, expected) in [
            (json!(3600), "2026-01-01T01:00:00Z"),
            (json!("3600"), "2026-01-01T01:00:00Z"),
            (json!(" 3600 "), "2026-01-01T01:00:00Z"),
            (json!(3599.5), "2026-01-01T00:59:59.5Z"),
            (json!(999_999_999), "2057-09-09T01:46:39Z"),
            (json!(1_767_229_200), "2026-01-01T01:00:00Z"),
            (json!("1767229200"), "2026-01-01T01:00:00Z"),
            (json!(1_767_229_200_000_u64), "2026-01-01T01:00:00Z"),
            (json!("1767229200000"), "2026-01-01T01:00:00Z"),
            (json!("2026-01-01T01:00:00Z"), "2026-01-01T01:00:00Z"),
            (
                json!("2026-01-01T02:00:00.5+01:00"),
                "2026-01-01T01:00:00.5Z",
            ),
            (json!("2026-01-01 01:00:00"), "2026-01-01T01:00:00Z"),
        ] {
            assert_eq!(
                stated(ExpiresKind::Auto, &value),
                Some(at(expected)),
                "{value}"
            );
        }
    }

    #[test]
    fn a_stated_kind_is_taken_at_its_word() {
        for (kind, value, expected) in [
            (ExpiresKind::Seconds, json!("60"), "2026-01-01T00:01:00Z"),
            (
                ExpiresKind::Milliseconds,
                json!(60_000),
                "2026-01-01T00:01:00Z",
            ),
            (
                ExpiresKind::EpochSeconds,
                json!(1_767_229_200),
                "2026-01-01T01:00:00Z",
            ),
            (
                ExpiresKind::EpochMilliseconds,
                json!("1767229200000"),
                "2026-01-01T01:00:00Z",
            ),
            (
                ExpiresKind::Rfc3339,
                json!("2026-01-01T01:00:00Z"),
                "2026-01-01T01:00:00Z",
            ),
            (
                ExpiresKind::DaysHoursMinutes,
                json!("1:02:30"),
                "2026-01-02T02:30:00Z",
            ),
            (
                ExpiresKind::DaysHoursMinutes,
                json!("0:240:00"),
                "2026-01-11T00:00:00Z",
            ),
        ] {
            assert_eq!(stated(kind, &value), Some(at(expected)), "{kind:?} {value}");
        }
    }

    #[test]
    fn what_states_no_expiry_is_no_expiry() {
        for value in [
            json!(0),
            json!(-1),
            json!("0"),
            json!(""),
            json!("never"),
            json!("NaN"),
            json!("inf"),
            json!(1e300),
            json!(true),
            json!([3600]),
            json!({"seconds": 3600}),
        ] {
            for kind in [
                ExpiresKind::Auto,
                ExpiresKind::Seconds,
                ExpiresKind::Milliseconds,
                ExpiresKind::EpochSeconds,
                ExpiresKind::EpochMilliseconds,
                ExpiresKind::Rfc3339,
                ExpiresKind::DaysHoursMinutes,
            ] {
                assert_eq!(stated(kind, &value), None, "{kind:?} {value}");
            }
        }
        for text in ["1:02", "1:02:03:04", "0:00:00", "-1:00:00", "1:x:00"] {
            let kind = ExpiresKind::DaysHoursMinutes;
            assert_eq!(stated(kind, &json!(text)), None, "{text}");
        }
    }

    #[test]
    fn times_of_a_clock_that_is_far_off_are_corrected() {
        // Ahead by an hour: what it calls two is one by our clock.
        let two = json!("2026-01-01T02:00:00Z");
        assert_eq!(
            read(&two, ExpiresKind::Auto, clock(3600)),
            Some(at("2026-01-01T01:00:00Z"))
        );
        // Less than what is tolerated is noise, and durations need no clock.
        assert_eq!(
            read(&two, ExpiresKind::Auto, clock(30)),
            Some(at("2026-01-01T02:00:00Z"))
        );
        assert_eq!(
            read(&json!(60), ExpiresKind::Auto, clock(3600)),
            Some(at("2026-01-01T00:01:00Z"))
        );
    }

    #[test]
    fn without_an_expiry_the_jwt_then_the_manifest_then_an_assumption_holds() {
        let plain = Lifetime::default();
        let stated = Lifetime {
            default: Some(Duration::from_secs(600)),
            ..Lifetime::default()
        };
        let jwt = jwt(&json!({"exp": 1_767_229_200}));
        let (opaque, hour) = ("abc", Some(at("2026-01-01T01:00:00Z")));
        let end = |token: &str, lifetime: &Lifetime, renewal| {
            expires_at(None, ExpiresKind::Auto, token, lifetime, renewal, clock(0))
        };
        for renewal in [Renewal::Anew, Renewal::ByRefreshToken] {
            assert_eq!(end(&jwt, &stated, renewal), hour);
            let ten = Some(at("2026-01-01T00:10:00Z"));
            assert_eq!(end(opaque, &stated, renewal), ten);
        }
        let assumed = Some(at("2026-01-01T00:55:00Z"));
        assert_eq!(end(opaque, &plain, Renewal::Anew), assumed);
        assert_eq!(end(opaque, &plain, Renewal::ByRefreshToken), None);
        let answer = json!(60);
        assert_eq!(
            expires_at(
                Some(&answer),
                ExpiresKind::Auto,
                &jwt,
                &stated,
                Renewal::Anew,
                clock(0)
            ),
            Some(at("2026-01-01T00:01:00Z")),
        );
    }

    #[test]
    fn only_what_has_the_shape_of_a_jwt_says_when_it_ends() {
        assert_eq!(
            jwt_expiry(&jwt(&json!({"exp": 1_767_229_200.9}))),
            Some(at("2026-01-01T01:00:00Z"))
        );
        for token in [
            "".to_owned(),
            "a.b".to_owned(),
            "a.b.c".to_owned(),
            "a.b.c.d.e".to_owned(),
            jwt(&json!({"sub": "x"})),
            jwt(&json!({"exp": "soon"})),
            jwt(&json!({"exp": 1e300})),
            jwt(&json!([1])),
        ] {
            assert_eq!(jwt_expiry(&token), None, "{token}");
        }
    }
}
