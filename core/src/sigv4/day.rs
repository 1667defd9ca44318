//! The days for which keys are made.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// The days (UTC) on which a call may be signed until [`next_day`]: today;
/// tomorrow, so that whoever gets no newer keys in time can go on for a day at
/// least; and yesterday, for clocks that are behind. A key of yesterday is no
/// use but to them: AWS takes no signature that is older than minutes.
pub fn days(now: Timestamp) -> [Date; 3] {
    let today = TimeZone::UTC.to_datetime(now).date();
    let yesterday = today.yesterday().unwrap_or(Date::MIN);
    let tomorrow = today.tomorrow().unwrap_or(Date::MAX);
    [yesterday, today, tomorrow]
}

/// When the next day begins.
pub fn next_day(now: Timestamp) -> Timestamp {
    const DAY: i64 = 24 * 60 * 60;
    let seconds = now.as_second();
    // Days of POSIX time have no leap seconds, and so all the same length.
    let rest = DAY - seconds.rem_euclid(DAY);
    Timestamp::from_second(seconds.saturating_add(rest)).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_keys_for_the_day_before_and_the_day_after() {
        for (now, expected, change) in [
            (
                "2026-12-31T23:59:59.9Z",
                ["2026-12-30", "2026-12-31", "2027-01-01"],
                "2027-01-01T00:00:00Z",
            ),
            (
                "2028-03-01T00:00:00Z",
                ["2028-02-29", "2028-03-01", "2028-03-02"],
                "2028-03-02T00:00:00Z",
            ),
        ] {
            let now: Timestamp = now.parse().unwrap();
            assert_eq!(days(now).map(|day| day.to_string()), expected);
            assert_eq!(next_day(now).to_string(), change);
        }
    }
}
