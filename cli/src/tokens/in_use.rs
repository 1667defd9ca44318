//! Which entry of a plan a token goes with.

use credence_broker::{Outcome, State};
use credence_core::bundle::{Entry, NoToken, TokenState, Withheld};
use credence_core::token::Digest;

/// The last entry of a plan that an outcome was about, and its order. A token
/// goes with the route that it was obtained for, and never with another one:
/// while a new order is filled for the first time, the old ones stay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct InUse(Option<(Digest, Entry)>);

impl InUse {
    /// What is served where this entry is planned, whose token is that of the
    /// order `wanted`.
    pub(super) fn serve(
        &mut self,
        planned: &Entry,
        wanted: Digest,
        outcome: &Outcome,
    ) -> (Entry, TokenState) {
        let state = state(&outcome.state);
        if outcome.order == wanted {
            self.0 = Some((wanted, planned.clone()));
            return (planned.clone(), state);
        }
        match &self.0 {
            Some((order, entry)) if *order == outcome.order => (entry.clone(), state),
            _ => (planned.clone(), TokenState::Withheld(Withheld::UNKNOWN)),
        }
    }

    /// Whether the outcome is about what is served already.
    pub(super) fn is_of(&self, outcome: &Outcome) -> bool {
        let order = self.0.as_ref().map(|(order, _)| order);
        order == Some(&outcome.order)
    }
}

fn state(state: &State) -> TokenState {
    match state {
        State::Token(token) => TokenState::Held((**token).clone()),
        State::Unavailable { retry_at } => TokenState::Withheld(Withheld {
            why: NoToken::Unavailable,
            retry_at: *retry_at,
        }),
        State::ReauthorizationRequired => TokenState::Withheld(Withheld {
            why: NoToken::ReauthorizationRequired,
            retry_at: None,
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use credence_core::Secret;
    use credence_core::bundle::{Token, Unavailable};
    use jiff::SignedDuration;

    use super::*;

    /// Entries that differ are all that counts here.
    const ROUTES: [Entry; 3] = [
        Entry::Unavailable(Unavailable::NotReady),
        Entry::Unavailable(Unavailable::CredentialsMissing),
        Entry::Unsupported(String::new()),
    ];
    const WITHHELD: TokenState = TokenState::Withheld(Withheld::UNKNOWN);

    fn outcome(order: u8, token: &str) -> Outcome {
        let token = Token::new(Secret::new(token), 1);
        Outcome {
            order: [order; 32],
            state: State::Token(Arc::new(token)),
            obtained_at: None,
            expires_at: None,
            next_attempt_at: None,
            setback: None,
            missing_scopes: Vec::new(),
            clock_skew: SignedDuration::ZERO,
            store: None,
        }
    }

    fn held(token: &str) -> TokenState {
        TokenState::Held(Token::new(Secret::new(token), 1))
    }

    #[test]
    fn an_edited_route_waits_for_its_token() {
        let [first, second, _] = &ROUTES;
        let mut in_use = InUse::default();
        let of_first = outcome(1, "t1");
        assert_eq!(
            in_use.serve(first, [1; 32], &of_first),
            (first.clone(), held("t1"))
        );
        assert_eq!(
            in_use.serve(second, [2; 32], &of_first),
            (first.clone(), held("t1"))
        );
        assert!(in_use.is_of(&of_first));
        let of_second = outcome(2, "t2");
        assert!(!in_use.is_of(&of_second));
        assert_eq!(
            in_use.serve(second, [2; 32], &of_second),
            (second.clone(), held("t2"))
        );
    }

    #[test]
    fn a_token_never_goes_with_a_route_that_it_was_not_obtained_for() {
        let [first, second, third] = &ROUTES;
        let mut in_use = InUse::default();
        in_use.serve(first, [1; 32], &outcome(1, "t1"));
        in_use.serve(second, [2; 32], &outcome(1, "t1"));
        // The second order was filled when the third had taken its place.
        let late = outcome(2, "t2");
        assert_eq!(
            in_use.serve(third, [3; 32], &late),
            (third.clone(), WITHHELD)
        );
        let mut fresh = InUse::default();
        assert_eq!(
            fresh.serve(third, [3; 32], &late),
            (third.clone(), WITHHELD)
        );
    }

    #[test]
    fn what_has_the_same_order_is_served_at_once() {
        let [first, second, _] = &ROUTES;
        let mut in_use = InUse::default();
        let outcome = outcome(1, "t1");
        in_use.serve(first, [1; 32], &outcome);
        assert_eq!(
            in_use.serve(second, [1; 32], &outcome),
            (second.clone(), held("t1"))
        );
    }
}
