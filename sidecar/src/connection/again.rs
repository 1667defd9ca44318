//! A call that was refused for its token, made once more with a newer one.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::time::{Instant, sleep_until};

use super::Connection;
use crate::destination::Destination;
use crate::exchange::{Exchange, Refused, is_gone};
use crate::line::Line;
use crate::table::Successor;

/// How it goes on.
pub(super) enum Again {
    /// The provider's answer is the caller's.
    Passed(Exchange),
    /// The call was sent to what has taken the destination's place.
    Sent(Exchange, Arc<Destination>),
}

impl<L: Line> Connection<L> {
    /// Waits for a newer token, not for long, and makes the call with it.
    pub(super) async fn again(&mut self, mut refused: Refused, before: &Destination) -> Again {
        let Some(newer) = self.newer(before).await else {
            return Again::Passed(refused.accept());
        };
        let names = &self.shared.settings.names;
        let to = Arc::clone(&newer);
        let Some(authorized) = refused.authorize(&self.entrance, names, to) else {
            return Again::Passed(refused.accept());
        };
        let same_place = Arc::ptr_eq(&newer.upstream, &before.upstream);
        let free = same_place && poll_fn(|cx| Poll::Ready(refused.is_over(cx))).await;
        let (connection, request, reused) = if free {
            let (connection, request) = refused.end();
            (connection, request, true)
        } else {
            let connected = Self::connect(&newer.upstream, refused.upgrades()).await;
            match connected {
                Ok((connection, reused)) => (connection, refused.into_request(), reused),
                // What the provider said is more to the point.
                Err(_) => return Again::Passed(refused.accept()),
            }
        };
        tracing::debug!(collection = %newer.collection, "a call is made again with a newer token");
        let exchange = Exchange::new(connection.send(authorized), request, reused);
        Again::Sent(exchange, newer)
    }

    /// What has taken the place of a destination whose token was refused; none
    /// if nothing has by the time that one may wait for it.
    async fn newer(&mut self, before: &Destination) -> Option<Arc<Destination>> {
        let until = before.standing.hope(Instant::now());
        loop {
            let mut renewed = pin!(self.shared.renewed.notified());
            // From here on no change is missed.
            renewed.as_mut().enable();
            match self.shared.table().as_ref()?.successor(before) {
                Successor::Newer(newer) => return Some(newer),
                Successor::Hopeless => return None,
                Successor::Same => {}
            }
            let until = until?;
            let client = &mut self.client;
            tokio::select! {
                () = renewed => {}
                () = sleep_until(until) => return None,
                // There is no time to wait in.
                () = self.shared.drained() => return None,
                () = poll_fn(|cx| match is_gone(client, cx) {
                    true => Poll::Ready(()),
                    false => Poll::Pending,
                }) => return None,
            }
        }
    }
}
