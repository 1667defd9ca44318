//! Requests for tokens, counted by what came of them.

use std::sync::Arc;

use credence_broker::{Asking, Issuer, Unanswered};
use credence_core::token::{Order, RawAnswer, RefreshResult};
use jiff::Timestamp;

use crate::metrics::Metrics;

/// An issuer whose results are counted.
#[derive(Debug)]
pub struct Counted<I> {
    issuer: I,
    metrics: Arc<Metrics>,
}

impl<I> Counted<I> {
    /// Counts what comes of asking this one.
    pub const fn new(issuer: I, metrics: Arc<Metrics>) -> Self {
        Self { issuer, metrics }
    }
}

impl<I: Issuer<Order = Order>> Issuer for Counted<I> {
    type Order = Order;

    async fn ask(
        &self,
        order: &Order,
        asking: Asking<'_>,
        now: Timestamp,
    ) -> Result<RawAnswer, Unanswered> {
        self.issuer.ask(order, asking, now).await
    }

    fn settled(&self, order: &Order, result: RefreshResult) {
        self.metrics.token_refreshed(order.method, result.as_str());
        self.issuer.settled(order, result);
    }
}
