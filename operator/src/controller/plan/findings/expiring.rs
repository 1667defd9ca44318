//! A client certificate that ends soon.

use credence_crds::condition::reason;
use jiff::{SignedDuration, Timestamp, Unit};

use crate::controller::conditions::{Status, Verdict};

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Before the end, the latest first, with the reason that says so.
const STAGES: [(i32, &str); 3] = [
    (1, reason::EXPIRES_WITHIN_1_DAY),
    (7, reason::EXPIRES_WITHIN_7_DAYS),
    (30, reason::EXPIRES_WITHIN_30_DAYS),
];

/// The condition about a certificate with this end, from this Secret; none
/// while there is time. One that has ended is a failed resolution.
pub(super) fn expiring(secret: &str, not_after: Timestamp, now: Timestamp) -> Option<Verdict> {
    let (_, reason) = STAGES
        .into_iter()
        .find(|(days, _)| begins(*days, not_after) <= now)?;
    // To the second, as everything about certificates.
    let end = not_after.round(Unit::Second).unwrap_or(not_after);
    let message = format!(
        "The client certificate in Secret \"{secret}\" expires at {end}; from then on no call is \
         made with it. Put a new one with its key into the Secret before that."
    );
    Some(Verdict::new(Status::True, reason, message))
}

/// When something different will be said about a certificate with this end.
pub(super) fn next_stage(not_after: Timestamp, now: Timestamp) -> Option<Timestamp> {
    let begins = STAGES.map(|(days, _)| begins(days, not_after));
    begins.into_iter().filter(|begin| *begin > now).min()
}

fn begins(days: i32, not_after: Timestamp) -> Timestamp {
    not_after.checked_sub(DAY * days).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_told_of_in_three_stages() {
        let end = Timestamp::from_second(100 * 86_400).unwrap();
        let reason = |day: i64| {
            let now = Timestamp::from_second(day * 86_400).unwrap();
            let verdict = expiring("cert", end, now)?;
            assert!(
                verdict
                    .message
                    .contains("\"cert\" expires at 1970-04-11T00:00:00Z")
            );
            Some(verdict.reason)
        };
        for (day, expected) in [
            (0, None),
            (69, None),
            (70, Some("ExpiresWithin30Days")),
            (92, Some("ExpiresWithin30Days")),
            (93, Some("ExpiresWithin7Days")),
            (98, Some("ExpiresWithin7Days")),
            (99, Some("ExpiresWithin1Day")),
        ] {
            assert_eq!(reason(day), expected, "{day}");
        }
    }

    #[test]
    fn the_next_stage_is_waited_for() {
        let day = |day: i64| Timestamp::from_second(day * 86_400).unwrap();
        for (now, expected) in [(0, Some(70)), (70, Some(93)), (95, Some(99)), (99, None)] {
            assert_eq!(next_stage(day(100), day(now)), expected.map(day), "{now}");
        }
    }
}
