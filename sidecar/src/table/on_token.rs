//! A collection whose calls need a token.

use std::sync::Arc;

use credence_core::bundle::{NoToken, Route, Withheld};
use jiff::Timestamp;

use crate::destination::Destination;
use crate::problem::Problem;
use crate::slug::Slug;

/// A collection whose calls need a token.
#[derive(Clone, Debug)]
pub(super) struct OnToken {
    /// Without a token.
    pub(super) route: Arc<Route>,
    /// With the last token that there was. It stays when that must not be sent
    /// any more: what was begun with it goes on.
    pub(super) destination: Option<Arc<Destination>>,
    /// Why it is not used, if so.
    pub(super) withheld: Option<Withheld>,
}

/// Between two looks of an app that is told no time.
const SOON: u64 = 5;
/// Longer than this nobody should stay away: somebody may mend it meanwhile.
const LONGEST: i64 = 300;

impl OnToken {
    /// Where calls go, while there is a token that holds.
    ///
    /// # Errors
    /// The problem to answer with.
    pub(super) fn usable(
        &self,
        now: impl FnOnce() -> Timestamp,
    ) -> Result<&Arc<Destination>, Problem> {
        let withheld = match (&self.destination, self.withheld) {
            (Some(destination), None) => match destination.expires_at {
                None => return Ok(destination),
                Some(end) => {
                    let now = now();
                    if now < end {
                        return Ok(destination);
                    }
                    return Err(unavailable(None, now));
                }
            },
            (_, withheld) => withheld.unwrap_or(Withheld::UNKNOWN),
        };
        Err(match withheld.why {
            NoToken::Unavailable => unavailable(withheld.retry_at, now()),
            NoToken::ReauthorizationRequired => Problem::new(
                Slug::ReauthorizationRequired,
                "The provider does not renew the token any more: somebody must grant access again. The collection's status says how.",
            ),
        })
    }
}

fn unavailable(retry_at: Option<Timestamp>, now: Timestamp) -> Problem {
    let wait = retry_at.map(|at| at.duration_since(now).as_secs().clamp(1, LONGEST));
    Problem {
        // Never negative: see above.
        retry_after: wait.and_then(|wait| wait.try_into().ok()).unwrap_or(SOON),
        ..Problem::new(
            Slug::TokenUnavailable,
            "There is no token that could be sent: the collection's status says what the token endpoint answers.",
        )
    }
}
