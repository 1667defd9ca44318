//! What is to be done about a token now.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::record::{Held, Record};
use super::setback::Next;
use super::shape::Renewal;
use super::terms::{Jitter, Terms};

/// For how long a refresh that somebody else began may still be under way: the
/// time limit of a request, and of writing down its answer.
pub const UNDER_WAY: SignedDuration = SignedDuration::from_secs(35);

/// How long before the end of an access token a refresh token is tried of which
/// nobody knows whether the provider has replaced it: if it has not, no call
/// fails; if it has, the token that may end with this try is as good as over.
pub const LAST_MOMENT: SignedDuration = SignedDuration::from_secs(2);

/// What is dated further ahead than this was written by a clock that was wrong
/// then, if it is not now: no wait is counted from it.
const AHEAD: SignedDuration = SignedDuration::from_secs(60);

/// The least time from a token to the one that is planned after it.
const LEAST_BETWEEN: Duration = Duration::from_secs(1);

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Read the answer that is stored.
    Read,
    /// Ask the token endpoint.
    Ask(Ask),
    /// Nothing before this time; without one, nothing until something changes.
    Wait(Option<Timestamp>),
}

/// How a token is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// By the grant itself.
    Anew,
    /// With the refresh token.
    Refresh,
}

/// What calls can be made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing<'a> {
    /// This token.
    Usable(&'a Held),
    /// Nothing for now.
    Unavailable {
        /// When that may change; `None` where somebody must change something.
        retry_at: Option<Timestamp>,
    },
    /// Nothing until a person grants access again.
    ReauthorizationRequired,
}

/// What is to be done about a token now, by the one who is called `holder`.
pub fn decide(
    record: &Record,
    terms: &Terms,
    holder: &str,
    now: Timestamp,
    jitter: Jitter,
) -> Step {
    if record.unread_for(terms).is_some() {
        return Step::Read;
    }
    let Some(at) = wanted(record, terms, holder, now, jitter) else {
        return Step::Wait(None);
    };
    if at > now {
        return Step::Wait(Some(at));
    }
    let can_refresh = record.refresh_token_for(terms).is_some();
    // Where a token can be had anew, the refresh token is not worth the question
    // whether who changed the order could have obtained it: a lineage need not
    // hold a secret, like that of a user's name and a password.
    let same_order = record.held_for(terms).is_some();
    match terms.renewal {
        Renewal::Anew if terms.refreshes && can_refresh && same_order => Step::Ask(Ask::Refresh),
        Renewal::Anew => Step::Ask(Ask::Anew),
        Renewal::ByRefreshToken if can_refresh => Step::Ask(Ask::Refresh),
        Renewal::ByRefreshToken => Step::Wait(None),
    }
}

/// What calls can be made with now.
pub fn standing<'a>(record: &'a Record, terms: &Terms, now: Timestamp) -> Standing<'a> {
    let usable = record
        .held_for(terms)
        .filter(|held| held.is_usable(now) && held.base_url(terms).is_ok());
    if let Some(held) = usable {
        return Standing::Usable(held);
    }
    if terms.renewal == Renewal::ByRefreshToken && record.refresh_token_for(terms).is_none() {
        return Standing::ReauthorizationRequired;
    }
    match record.setback_for(terms).map(|setback| setback.next) {
        None => Standing::Unavailable {
            retry_at: Some(now),
        },
        Some(Next::At(time)) => Standing::Unavailable {
            retry_at: Some(time),
        },
        Some(Next::Change) => Standing::Unavailable { retry_at: None },
        Some(Next::Person) => Standing::ReauthorizationRequired,
    }
}

/// When a token is asked for next; `None` where nothing is planned.
pub fn wanted(
    record: &Record,
    terms: &Terms,
    holder: &str,
    now: Timestamp,
    jitter: Jitter,
) -> Option<Timestamp> {
    let is_ahead = |time: Timestamp| time.duration_since(now) > AHEAD;
    let cooled = match record.setback_for(terms) {
        None => Timestamp::MIN,
        Some(setback) => match setback.next {
            Next::At(_) if is_ahead(setback.at) => Timestamp::MIN,
            Next::At(time) => time,
            Next::Change | Next::Person => return None,
        },
    };
    let forced = || match record.forced {
        Some(forced) if !is_ahead(forced.at) => forced.next(),
        _ => now,
    };
    let held = record.held_for(terms);
    let usable = held.filter(|held| held.is_usable(now) && !is_ahead(held.obtained_at));
    if terms.renewal == Renewal::ByRefreshToken
        && let Some(intent) = record.doubt(terms)
    {
        // From when on calls fail without another token.
        let last_moment = |held: &Held| held.expires_at?.checked_sub(LAST_MOMENT).ok();
        let needed = match usable {
            None => Some(now),
            Some(held) if record.is_refused() => {
                Some(last_moment(held).map_or_else(forced, |last_moment| last_moment.min(forced())))
            }
            Some(held) => last_moment(held),
        };
        let over = if intent.holder == holder {
            now
        } else if is_ahead(intent.at) {
            // Nobody can tell for how long: it is left as much time as there is.
            needed.unwrap_or(now)
        } else {
            // It may be paused, or slow, and still bring its answer home.
            intent.at.saturating_add(UNDER_WAY).unwrap_or(now)
        };
        // The provider takes the old refresh token a second time, for a while
        // that waiting for another, or a cool-down, could outlast.
        let soonest = needed.map_or(over, |needed| over.min(needed)).max(now);
        let soonest = match intent.doubts {
            0 => soonest,
            _ => soonest.max(cooled),
        };
        let began = intent.since;
        if !is_ahead(began) && soonest < plus(began, terms.lifetime.grace) {
            return Some(soonest);
        }
        // Any other provider may end the access token when it sees the old
        // refresh token again.
        return Some(needed?.max(over).max(cooled));
    }
    let at = match usable {
        None => now,
        Some(_) if record.is_refused() => forced(),
        Some(held) => due(held, terms, jitter)?,
    };
    Some(at.max(cooled))
}

/// When a token is renewed if nothing else happens: before it ends by the
/// margin that the manifest states, but not in the first half of its life; and
/// before its refresh token dies unused. Not at once, however short its life is:
/// each new one is written down, and sent to all who use it.
pub(super) fn due(held: &Held, terms: &Terms, jitter: Jitter) -> Option<Timestamp> {
    let before_end = held.expires_at.map(|end| {
        let half = end.duration_since(held.obtained_at).as_secs_f64() / 2.0;
        let margin = terms.lifetime.refresh_before.as_secs_f64().min(half);
        let margin = margin * (1.0 + jitter.earlier / 10.0);
        let margin = SignedDuration::try_from_secs_f64(margin).unwrap_or_default();
        end.saturating_sub(margin).unwrap_or(end)
    });
    let alive = terms
        .lifetime
        .keep_alive
        .map(|interval| plus(held.obtained_at, interval));
    let due = match (before_end, alive) {
        (Some(a), Some(b)) => a.min(b),
        (a, b) => a.or(b)?,
    };
    let earliest = plus(held.obtained_at, LEAST_BETWEEN);
    let due = due.max(held.expires_at.map_or(earliest, |end| end.min(earliest)));
    Some(
        jitter
            .start
            .map_or(due, |start| start.of(due, held.expires_at)),
    )
}

fn plus(time: Timestamp, duration: Duration) -> Timestamp {
    SignedDuration::try_from(duration)
        .ok()
        .and_then(|duration| time.checked_add(duration).ok())
        .unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
