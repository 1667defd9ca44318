//! One request to a token endpoint, and its answer.
//!
//! Every request has a connection of its own: they are seldom, and one that has
//! been idle for an hour fails in a moment when nobody can tell whether the
//! endpoint has acted. Nothing is tried twice here, and no redirect is followed:
//! it would take the credentials along (RFC 9700 §4.12).

mod exchange_error;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use credence_core::Secret;
use credence_core::template::{Captured, LateValues, Moment};
use credence_core::token::{
    AccountToken, AnswerError, Message, Order, RawAnswer, TokenRequest, TokenStep,
};
use credence_net::{Dialer, Egress, Guard, Network};
use http::{Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use jiff::Timestamp;
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::account_tokens::{AccountTokens, NoCluster, NotIssued};
use crate::connection::{Connection, Peer};
use crate::head::{self, Outgoing};
use crate::issuer::{Asking, Issuer, Unanswered};

pub use exchange_error::{ExchangeError, NotSent, OutcomeUnknown};

/// How token endpoints are reached.
#[derive(Clone, Debug)]
pub struct Exchange<A = NoCluster> {
    dialer: Dialer,
    private_networks: PrivateNetworks,
    accounts: A,
    limits: Limits,
}

/// Whether token endpoints may be at private or loopback addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PrivateNetworks {
    /// Those of these blocks may, and never loopback, whatever a collection
    /// says: a collection must not aim this process at its own neighbours.
    Only(Arc<[Network]>),
    /// Each collection says so itself.
    AsOrdered,
}

impl PrivateNetworks {
    /// What dials as far as this goes.
    pub(crate) fn dialer(&self, egress: Egress, timeout: Duration) -> Dialer {
        let guard = Guard {
            allow_private: false,
        };
        let networks = match self {
            Self::Only(networks) => Arc::clone(networks),
            Self::AsOrdered => Arc::default(),
        };
        Dialer::new(guard, timeout).through(egress).within(networks)
    }

    /// Whether a collection that asks for them may have all of them.
    pub(crate) const fn allow(&self, asked: bool) -> bool {
        match self {
            Self::Only(_) => false,
            Self::AsOrdered => asked,
        }
    }
}

/// What one exchange may cost.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// Until there is a connection, TLS included.
    connect: Duration,
    /// Until the last byte of the answer.
    total: Duration,
    /// Of the body.
    bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            total: Duration::from_secs(30),
            bytes: 256 * 1024,
        }
    }
}

impl Exchange {
    /// One that goes through the proxies of this environment, where there is no
    /// cluster.
    pub fn new(egress: Egress, private_networks: PrivateNetworks) -> Self {
        let limits = Limits::default();
        Self {
            dialer: private_networks.dialer(egress, limits.connect),
            private_networks,
            accounts: NoCluster,
            limits,
        }
    }

    /// The same, with a cluster that issues tokens of ServiceAccounts.
    pub fn with_accounts<A>(self, accounts: A) -> Exchange<A> {
        let Self {
            dialer,
            private_networks,
            accounts: _,
            limits,
        } = self;
        Exchange {
            dialer,
            private_networks,
            accounts,
            limits,
        }
    }
}

impl<A: AccountTokens> Exchange<A> {
    /// Sends one request and reads its answer, whatever its status is; where the
    /// order's JWT is the token, that is signed instead. `now` is
    /// what the request says that it is.
    ///
    /// # Errors
    /// [`ExchangeError`], which says whether the endpoint can have acted.
    pub async fn send(
        &self,
        order: &Order,
        asking: Asking<'_>,
        now: Timestamp,
    ) -> Result<RawAnswer, ExchangeError> {
        let deadline = Instant::now() + self.limits.total;
        let refresh_token = match asking {
            Asking::Refresh(token) => Some(token),
            Asking::Anew => None,
        };
        let own = order.refresh.as_ref().filter(|_| refresh_token.is_some());
        let moment = moment(now);
        let signed = order.signers.sign(moment).map_err(NotSent::Jwt)?;
        let Some(request) = own.or(order.request.as_ref()) else {
            let jwt = signed.jwt.ok_or(NotSent::NoRequest)?;
            return Ok(RawAnswer::of_token(&jwt));
        };
        let subject = match order.subject.as_ref().filter(|_| own.is_none()) {
            Some(token) => Some(self.subject(token, deadline).await?),
            None => None,
        };
        let values = LateValues {
            subject_token: subject.as_ref(),
            refresh_token,
            jwt: signed.jwt.as_ref(),
            client_assertion: signed.client_assertion.as_ref(),
            ..LateValues::at(moment)
        };
        let mut captured = Captured::new();
        let needed = own.is_none_or(TokenRequest::refers_to_steps);
        for step in order.steps.iter().filter(|_| needed) {
            let fields = self.step(order, step, &values, &captured, deadline, now);
            captured.insert(step.name.clone(), fields.await?);
        }
        let values = LateValues {
            steps: Some(&captured),
            ..values
        };
        self.request(order, request, &values, deadline).await
    }

    /// What the grant's own request exchanges; nothing was sent before.
    async fn subject(&self, token: &AccountToken, deadline: Instant) -> Result<Secret, NotSent> {
        let limit = deadline.min(Instant::now() + self.limits.connect);
        let issued = tokio::time::timeout_at(limit, self.accounts.issue(token)).await;
        let issued = issued.unwrap_or(Err(NotIssued::NoAnswer));
        issued.map_err(|error| NotSent::Subject {
            token: Box::new(token.clone()),
            error,
        })
    }

    /// Whatever becomes of a step, nothing was asked with the grant yet.
    async fn step(
        &self,
        order: &Order,
        step: &TokenStep,
        values: &LateValues<'_>,
        captured: &Captured,
        deadline: Instant,
        now: Timestamp,
    ) -> Result<BTreeMap<String, Secret>, ExchangeError> {
        let values = LateValues {
            steps: Some(captured),
            ..*values
        };
        let asked = self.request(order, &step.request, &values, deadline);
        let answer = asked.await.map_err(|error| NotSent::Step {
            name: step.name.clone(),
            error: Box::new(error),
        })?;
        step.read(&answer).map_err(|problem| ExchangeError::Step {
            name: step.name.clone(),
            error: AnswerError {
                problem,
                retry_after: answer.retry_after(now),
            },
        })
    }

    async fn request(
        &self,
        order: &Order,
        request: &TokenRequest,
        values: &LateValues<'_>,
        deadline: Instant,
    ) -> Result<RawAnswer, ExchangeError> {
        let message = request
            .message(values, order.allow_insecure_http)
            .map_err(NotSent::Message)?;
        let connecting = self.connect(order, &message);
        let patience = (self.limits.connect).min(deadline.duration_since(Instant::now()));
        let connected = tokio::time::timeout(patience, connecting).await;
        let mut connection = connected.unwrap_or(Err(NotSent::TimedOut(patience)))?;
        let outgoing = Outgoing {
            method: message.method,
            scheme: message.endpoint.scheme(),
            authority: &message.endpoint.authority(),
            target: message.endpoint.target(),
            headers: &message.headers,
            body: message.body.map(Bytes::from_owner).unwrap_or_default(),
        };
        let request = outgoing.request(connection.version())?;
        let answering = self.answer(&mut connection, request);
        let answered = tokio::time::timeout_at(deadline, answering).await;
        answered.unwrap_or(Err(OutcomeUnknown::TimedOut(self.limits.total).into()))
    }

    async fn connect(&self, order: &Order, message: &Message) -> Result<Connection, NotSent> {
        let mut dialer = self.dialer.clone();
        dialer.guard.allow_private = self.private_networks.allow(order.allow_private_networks);
        let endpoint = &message.endpoint;
        let stream = dialer.connect(endpoint.host(), endpoint.port()).await?;
        let peer = Peer {
            scheme: endpoint.scheme(),
            host: endpoint.host(),
            trust: order.trust.as_deref(),
            client_certificate: order.client_certificate.as_deref(),
        };
        Ok(Connection::open(stream, &peer, self.limits.connect).await?)
    }

    async fn answer(
        &self,
        connection: &mut Connection,
        request: Request<Full<Bytes>>,
    ) -> Result<RawAnswer, ExchangeError> {
        let answer = connection.send(request).await?;
        if answer.status().is_redirection() {
            let status = answer.status().as_u16();
            return Err(ExchangeError::Redirected { status });
        }
        self.read(answer).await
    }

    async fn read(&self, answer: Response<Incoming>) -> Result<RawAnswer, ExchangeError> {
        let (head, body) = answer.into_parts();
        let mut body = Limited::new(body, self.limits.bytes);
        let mut read = Zeroizing::new(Vec::new());
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| match error.downcast::<hyper::Error>() {
                Ok(error) => OutcomeUnknown::Broken(*error).into(),
                Err(_) => ExchangeError::TooLarge {
                    limit: self.limits.bytes,
                },
            })?;
            if let Some(data) = frame.data_ref() {
                append(&mut read, data);
            }
        }
        Ok(RawAnswer {
            status: head.status.as_u16(),
            headers: head::fields(&head.headers),
            body: read,
        })
    }
}

impl<A: AccountTokens> Issuer for Exchange<A> {
    type Order = Order;

    async fn ask(
        &self,
        order: &Order,
        asking: Asking<'_>,
        now: Timestamp,
    ) -> Result<RawAnswer, Unanswered> {
        Ok(self.send(order, asking, now).await?)
    }
}

/// Appends without leaving copies of what was there behind.
fn append(read: &mut Zeroizing<Vec<u8>>, data: &[u8]) {
    let length = read.len() + data.len();
    if length > read.capacity() {
        let mut larger = Zeroizing::new(Vec::with_capacity(length.next_power_of_two()));
        larger.extend_from_slice(read);
        *read = larger;
    }
    read.extend_from_slice(data);
}

pub(crate) fn moment(now: Timestamp) -> Moment {
    let mut random = [0; 16];
    aws_lc_rs::rand::fill(&mut random).expect("the system has random numbers");
    Moment {
        unix_seconds: now.as_second(),
        random,
    }
}
