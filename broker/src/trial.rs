//! A call to an API that is made to see what it answers to the credential.
//!
//! Nothing but the status of the answer is looked at: its body is not read, no
//! redirect is followed, and the connection is closed.

use std::time::Duration;

use bytes::Bytes;
use credence_core::bundle::Route;
use credence_core::call::{Call, NoCall};
use credence_core::collection::Verification;
use credence_net::{DialError, Dialer, Egress, HandshakeError, Refused, TlsError};
use jiff::Timestamp;

use crate::connection::{Connection, NotOpened, Peer, Unanswered};
use crate::exchange::{PrivateNetworks, moment};
use crate::head::{Outgoing, Unwritable};

/// How such calls are made.
#[derive(Clone, Debug)]
pub struct Trial {
    dialer: Dialer,
    private_networks: PrivateNetworks,
    timeout: Duration,
}

/// The longest time until there is a connection, TLS included.
const CONNECT: Duration = Duration::from_secs(10);

/// Why there is no answer. Nothing that was sent or received is quoted.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// There is nothing that a sidecar would send.
    #[error("the call cannot be made: {0}")]
    NoCall(#[from] NoCall),
    /// A header that HTTP does not have.
    #[error("header {0} of the call cannot be written")]
    Header(String),
    /// It is at an address that this program does not dial.
    #[error("the API has a private address")]
    Private,
    /// No connection.
    #[error("the API cannot be reached: {0}")]
    Dial(DialError),
    /// No way to secure one.
    #[error("the certificates for the API cannot be used: {0}")]
    Tls(TlsError),
    /// No session over it.
    #[error("the API cannot be trusted or spoken to: {0}")]
    Handshake(HandshakeError),
    /// The API does not accept our certificate, or wants one.
    #[error("the API does not accept the client certificate, or wants one that it is not shown")]
    ClientCertificate,
    /// The connection broke, or what came was no HTTP.
    #[error("the API gave no answer")]
    Broken(#[source] hyper::Error),
    /// It took too long.
    #[error("the API gave no answer within {:.1} s", .0.as_secs_f32())]
    TimedOut(Duration),
}

impl Trial {
    /// Calls that go through the proxies of this environment, and are given up
    /// when there is no head of an answer after this time.
    pub fn new(egress: Egress, private_networks: PrivateNetworks, timeout: Duration) -> Self {
        Self {
            dialer: private_networks.dialer(egress, CONNECT.min(timeout)),
            private_networks,
            timeout,
        }
    }

    /// Makes one call by a route, which is bound to its token if it needs one;
    /// the status of the answer, whatever it is. `now` is what the call says
    /// that it is.
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub async fn status(
        &self,
        route: &Route,
        verification: &Verification,
        now: Timestamp,
    ) -> Result<u16, NoAnswer> {
        let Verification { method, target, .. } = verification;
        let call = Call::of(route, *method, target, &moment(now), now)?;
        let answered = tokio::time::timeout(self.timeout, self.ask(route, &call)).await;
        answered.unwrap_or(Err(NoAnswer::TimedOut(self.timeout)))
    }

    async fn ask(&self, route: &Route, call: &Call) -> Result<u16, NoAnswer> {
        let connecting = self.connect(route);
        let connected = tokio::time::timeout(CONNECT, connecting).await;
        let mut connection = connected.unwrap_or(Err(NoAnswer::TimedOut(CONNECT)))?;
        let outgoing = Outgoing {
            method: call.method.as_str(),
            scheme: route.base_url.scheme(),
            authority: &call.authority,
            target: &call.target,
            headers: &call.headers,
            body: Bytes::new(),
        };
        let answer = connection
            .send(outgoing.request(connection.version())?)
            .await?;
        Ok(answer.status().as_u16())
    }

    async fn connect(&self, route: &Route) -> Result<Connection, NoAnswer> {
        let mut dialer = self.dialer.clone();
        dialer.guard.allow_private = self.private_networks.allow(route.allow_private_networks);
        let base = &route.base_url;
        let stream = dialer.connect(base.host(), base.port()).await?;
        let peer = Peer {
            scheme: base.scheme(),
            host: base.host(),
            trust: route.trust.as_deref(),
            client_certificate: route.client_certificate.as_deref(),
        };
        Ok(Connection::open(stream, &peer, CONNECT).await?)
    }
}

impl From<DialError> for NoAnswer {
    fn from(error: DialError) -> Self {
        match error {
            DialError::Refused(Refused::Private(_)) => Self::Private,
            other => Self::Dial(other),
        }
    }
}

impl From<NotOpened> for NoAnswer {
    fn from(error: NotOpened) -> Self {
        match error {
            NotOpened::Tls(error) => Self::Tls(error),
            NotOpened::Handshake(HandshakeError::ClientCertificate) => Self::ClientCertificate,
            NotOpened::Handshake(error) => Self::Handshake(error),
            NotOpened::Closed(error) => Self::Broken(error),
        }
    }
}

impl From<Unwritable> for NoAnswer {
    fn from(Unwritable(name): Unwritable) -> Self {
        Self::Header(name)
    }
}

impl From<Unanswered> for NoAnswer {
    fn from(error: Unanswered) -> Self {
        match error {
            Unanswered::ClientCertificate => Self::ClientCertificate,
            Unanswered::Unsent(error) | Unanswered::Broken(error) => Self::Broken(error),
        }
    }
}
