//! One request and its answer, both on their way at the same time.

mod refused;

use std::borrow::Cow;
use std::future::poll_fn;
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use credence_core::bundle::Timeouts;
use credence_net::handshake::refuses_client_certificate;
use jiff::Timestamp;

use crate::answer::{self, Caller};
use crate::budget::Budget;
use crate::buffer::Side;
use crate::deadline::Deadline;
use crate::destination::Destination;
use crate::entrance::Entrance;
use crate::http1::{BodyError, FieldStorage, Framing, HeadError, HeadScan, ResponseHead, Version};
use crate::line::Line;
use crate::problem::Problem;
use crate::pump::{Pump, Stuck};
use crate::replay::Replay;
use crate::slug::Slug;
use crate::upgrade::Upgrade;
use crate::upstream::{Active, Connection};
pub(crate) use refused::Refused;

/// Interim answers of one exchange: each renews the deadline, so that a
/// provider could go on for ever.
const MOST_INTERIM: u8 = 16;

/// How often a request is sent that its provider refuses to look at: a server
/// that says so on each connection would be asked for ever.
const MOST_ATTEMPTS: u8 = 4;

/// What is known of a request once its head has been passed on.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) framing: Framing,
    pub(crate) version: Version,
    pub(crate) to_head: bool,
    pub(crate) method: &'static str,
    /// Sending it twice does what sending it once does (RFC 9110 §9.2.2).
    pub(crate) idempotent: bool,
    /// The client's connection is closed after the answer.
    pub(crate) close: bool,
    /// The client waits for an interim answer before it sends the body.
    pub(crate) expects_continue: bool,
    /// The client would go on with another protocol.
    pub(crate) upgrade: Option<Upgrade>,
    /// For making the call once more with another token.
    pub(crate) replay: Option<Box<Replay>>,
}

/// How an exchange ended.
#[derive(Debug)]
pub(crate) enum End {
    /// The answer was passed on whole, and the connections can be used again
    /// as far as it says.
    Whole {
        /// Of the answer.
        status: u16,
        /// The client's connection.
        keep_client: bool,
        /// The provider's, if it can be kept.
        connection: Option<Connection>,
    },
    /// The client and this connection of the provider go on with the protocol
    /// that was asked for. The head that says so is still to be written.
    Switched(Active),
    /// The provider's connection was dead before anything of an answer came;
    /// the request may be sent again on another one.
    Stale(Box<Exchange>),
    /// The token was refused; another one may be accepted.
    Refused(Box<Refused>),
    /// Nothing of an answer was passed on: this is one.
    Failed(Problem),
    /// The client cannot be told any more; the status is that of the answer
    /// that had begun.
    Broken(Option<u16>),
}

/// One exchange under way.
#[derive(Debug)]
pub(crate) struct Exchange {
    active: Active,
    request: Request,
    upload: Pump,
    upload_state: Upload,
    download: Download,
    /// The answer whose head was passed on to the client.
    status: Option<u16>,
    /// Something came from the provider.
    heard: bool,
    /// Bytes of a head moved since the deadline was set.
    moved: bool,
    close: bool,
    reused: bool,
    attempts: u8,
    interim: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Upload {
    Flowing,
    Ended,
    /// The provider takes no more of it; its answer may be on the way.
    Refused,
}

#[derive(Debug)]
enum Download {
    Head(HeadScan),
    Body { pump: Pump, reusable: bool },
    Ended { reusable: bool },
}

/// What is outside the exchange while it runs.
pub(crate) struct Around<'a, L> {
    pub(crate) client: &'a mut Side<L>,
    pub(crate) destination: &'a Destination,
    pub(crate) entrance: &'a Entrance,
    pub(crate) host: Option<&'a [u8]>,
    pub(crate) deadline: &'a mut Deadline,
    /// For bodies that are looked at.
    pub(crate) bodies: &'a Arc<Budget>,
}

/// What a poll found out, before the exchange is taken apart.
enum Verdict {
    Whole,
    Switched,
    Silence,
    Refused,
    Failed(Problem),
    Broken,
}

impl Exchange {
    /// `reused` says that the connection has carried an exchange before, so
    /// that the provider may have closed it meanwhile.
    pub(crate) fn new(active: Active, request: Request, reused: bool) -> Self {
        let copy = request.replay.as_ref();
        let copy = copy.and_then(|replay| replay.copy(request.framing));
        Self {
            active,
            upload: Pump::new(request.framing, request.framing == Framing::Chunked).copying(copy),
            upload_state: Upload::Flowing,
            download: Download::Head(HeadScan::default()),
            interim: 0,
            status: None,
            heard: false,
            moved: false,
            close: request.close,
            reused,
            attempts: 1,
            request,
        }
    }

    /// The same request on a new connection; none if too much of it is gone.
    pub(crate) fn retry_on(self, connection: Connection) -> Option<Self> {
        Some(Self {
            active: self.active.retry_on(connection)?,
            upload_state: Upload::Flowing,
            download: Download::Head(HeadScan::default()),
            interim: 0,
            reused: false,
            attempts: self.attempts + 1,
            ..self
        })
    }

    /// Runs until the answer has been passed on, or cannot be.
    pub(crate) async fn run<L: Line>(mut self, mut around: Around<'_, L>) -> End {
        let timeouts = around.destination.route.timeouts;
        around.deadline.set(self.patience(&timeouts));
        match poll_fn(|cx| self.poll(&mut around, cx)).await {
            Verdict::Whole => {
                let uploaded = self.upload_state == Upload::Ended;
                let reusable = matches!(self.download, Download::Ended { reusable: true });
                End::Whole {
                    status: self.status.unwrap_or_default(),
                    keep_client: uploaded && !self.close,
                    connection: if uploaded && reusable {
                        self.active.finish()
                    } else {
                        None
                    },
                }
            }
            Verdict::Switched => End::Switched(self.active),
            Verdict::Refused => End::Refused(Box::new(Refused::new(self))),
            Verdict::Silence if self.may_retry() => End::Stale(Box::new(self)),
            Verdict::Silence => End::Failed(Problem::new(
                Slug::UpstreamUnreachable,
                "The API closed the connection without an answer.",
            )),
            Verdict::Failed(problem) => End::Failed(problem),
            Verdict::Broken => End::Broken(self.status),
        }
    }

    fn may_retry(&mut self) -> bool {
        let unsent = self.active.side().outbound.is_untouched();
        (self.reused && (unsent || self.request.idempotent))
            || (self.active.is_unprocessed() && self.attempts < MOST_ATTEMPTS)
    }

    fn poll<L: Line>(&mut self, around: &mut Around<'_, L>, cx: &mut Context<'_>) -> Poll<Verdict> {
        if self.upload_state == Upload::Flowing
            && let Some(verdict) = self.poll_upload(around, cx)
        {
            return Poll::Ready(verdict);
        }
        if let Poll::Ready(verdict) = self.poll_download(around, cx) {
            return Poll::Ready(verdict);
        }
        if self.upload_state != Upload::Flowing && is_gone(around.client, cx) {
            return Poll::Ready(Verdict::Broken);
        }
        if self.take_moved() {
            let patience = self.patience(&around.destination.route.timeouts);
            around.deadline.set(patience);
        }
        around.deadline.poll_passed(cx).map(|()| self.timed_out())
    }

    fn poll_upload<L: Line>(
        &mut self,
        around: &mut Around<'_, L>,
        cx: &mut Context<'_>,
    ) -> Option<Verdict> {
        let owned = Some(&around.destination.headers);
        match self
            .upload
            .poll(around.client, self.active.side(), owned, cx)
        {
            Poll::Pending => {}
            // From here on the first byte of an answer is waited for.
            Poll::Ready(Ok(())) => {
                self.upload_state = Upload::Ended;
                self.moved = true;
            }
            Poll::Ready(Err(Stuck::Sink)) => {
                self.upload_state = Upload::Refused;
                self.moved = true;
            }
            Poll::Ready(Err(Stuck::Source | Stuck::Body(BodyError::Truncated))) => {
                return Some(Verdict::Broken);
            }
            Poll::Ready(Err(Stuck::Body(error))) => {
                return Some(self.failed(
                    Slug::BadRequest,
                    format!("The body is not one of HTTP/1.1: {error}."),
                ));
            }
        }
        None
    }

    fn poll_download<L: Line>(
        &mut self,
        around: &mut Around<'_, L>,
        cx: &mut Context<'_>,
    ) -> Poll<Verdict> {
        loop {
            match &mut self.download {
                Download::Head(scan) => {
                    if around.client.outbound.pending() > 0
                        && ready!(around.client.poll_flush(cx)).is_err()
                    {
                        return Poll::Ready(Verdict::Broken);
                    }
                    let side = self.active.side();
                    match scan.advance(side.inbound.bytes()) {
                        Err(error) => return Poll::Ready(self.malformed(error)),
                        Ok(Some(length)) => {
                            if let Err(verdict) = self.pass_head(length, around) {
                                return Poll::Ready(verdict);
                            }
                        }
                        Ok(None) => match ready!(side.poll_fill(cx)) {
                            Ok(1..) => {
                                self.heard = true;
                                self.moved = true;
                            }
                            Err(error) if refuses_client_certificate(&error) => {
                                let detail = "The API does not accept the client certificate, or wants one that is not configured.";
                                let slug = Slug::ClientCertificateRejected;
                                return Poll::Ready(self.failed(slug, detail));
                            }
                            Ok(0) | Err(_) if self.heard => {
                                let detail = "The API closed the connection in the middle of an answer's head.";
                                return Poll::Ready(self.failed(Slug::UpstreamUnreachable, detail));
                            }
                            Ok(0) | Err(_) => return Poll::Ready(Verdict::Silence),
                        },
                    }
                }
                Download::Body { pump, reusable } => {
                    // A provider that breaks off and a client that went away
                    // end alike: the client's connection is cut, so that a
                    // part is not taken for the whole.
                    if ready!(pump.poll(self.active.side(), around.client, None, cx)).is_err() {
                        return Poll::Ready(Verdict::Broken);
                    }
                    self.moved = true;
                    let copy = pump.take_copy().and_then(|copy| copy.into_whole());
                    if let (Some((body, _counted)), Some(status)) = (copy, self.status) {
                        around.destination.answered_with(status, &body);
                    }
                    self.download = Download::Ended {
                        reusable: *reusable,
                    };
                }
                Download::Ended { reusable } => {
                    // A provider that answers early may still want the rest.
                    return if *reusable && self.upload_state == Upload::Flowing {
                        Poll::Pending
                    } else {
                        Poll::Ready(Verdict::Whole)
                    };
                }
            }
        }
    }

    /// Turns the head of an answer into the one that the client gets. An error
    /// is what ends the exchange.
    fn pass_head<L>(&mut self, length: usize, around: &mut Around<'_, L>) -> Result<(), Verdict> {
        let (replayable, has_token) = (self.is_replayable(), self.active.has_token());
        let side = self.active.side();
        let mut storage = FieldStorage::new();
        let bytes = &side.inbound.bytes()[..length];
        let head = match ResponseHead::parse(bytes, self.request.to_head, &mut storage) {
            Ok(head) => head,
            Err(error) => return Err(self.malformed(error)),
        };
        let asked = self.request.upgrade.as_ref();
        let switching = asked.is_some_and(|upgrade| upgrade.is_granted_by(&head));
        if head.status == 101 && !switching {
            let detail = "The API switched to a protocol that nobody asked for.";
            return Err(self.failed(Slug::UpstreamUnreachable, detail));
        }
        let caller = Caller {
            version: self.request.version,
            entrance: around.entrance,
            host: around.host,
            close: self.close,
            switching,
        };
        let refused = around.destination.answered(&head, has_token);
        let signer = around.destination.signer.as_ref();
        // A clock that is wrong spoils the signatures of a good key.
        let is_late = signer.is_some_and(|signer| signer.answered(&head, Timestamp::now()));
        if !is_late {
            around.destination.key_answered(&head);
        }
        let retries =
            (around.destination.route.refusal).retries(head.status, self.request.idempotent);
        if refused && replayable && retries {
            return Err(Verdict::Refused);
        }
        if switching {
            let room = around.client.outbound.room();
            answer::write(&head, &caller, around.destination, room);
            self.active.side().inbound.consume(length);
            return Err(Verdict::Switched);
        }
        if head.is_interim() {
            self.interim += 1;
            if self.interim > MOST_INTERIM {
                let detail = "The API sent interim answers without end.";
                return Err(self.failed(Slug::UpstreamUnreachable, detail));
            }
            // HTTP/1.0 does not know them (RFC 9110 §15.2).
            if self.request.version == Version::Http11 {
                answer::write(
                    &head,
                    &caller,
                    around.destination,
                    around.client.outbound.room(),
                );
            }
            self.download = Download::Head(HeadScan::default());
        } else {
            let room = around.client.outbound.room();
            let passing = answer::write(&head, &caller, around.destination, room);
            self.close = passing.close;
            self.status = Some(head.status);
            let destination = around.destination;
            let copy = match is_late {
                true => None,
                false => destination.copy_of_answer(&head, has_token, around.bodies),
            };
            self.download = Download::Body {
                pump: Pump::new(head.framing, passing.chunked).copying(copy),
                reusable: !head.close,
            };
        }
        self.active.side().inbound.consume(length);
        Ok(())
    }

    fn take_moved(&mut self) -> bool {
        let uploaded = self.upload.take_moved();
        let downloaded = match &mut self.download {
            Download::Body { pump, .. } => pump.take_moved(),
            Download::Head(_) | Download::Ended { .. } => false,
        };
        mem::take(&mut self.moved) | uploaded | downloaded
    }

    /// How long nothing may happen from now on. A provider may think for long,
    /// also after an interim answer; once it answers, it must go on.
    fn patience(&mut self, timeouts: &Timeouts) -> Duration {
        let thinks = matches!(self.download, Download::Head(_))
            && self.upload_state != Upload::Flowing
            && self.active.side().inbound.is_empty();
        if thinks {
            timeouts.first_byte
        } else {
            timeouts.idle
        }
    }

    fn timed_out(&mut self) -> Verdict {
        let provider_is_slow =
            self.upload_state != Upload::Flowing || self.active.side().outbound.pending() > 0;
        if provider_is_slow {
            self.failed(Slug::UpstreamTimeout, "The API did not answer in time.")
        } else {
            Verdict::Broken
        }
    }

    fn malformed(&self, error: HeadError) -> Verdict {
        let detail = format!("The API's answer is not one of HTTP/1.1: {error}.");
        self.failed(Slug::UpstreamUnreachable, detail)
    }

    fn failed(&self, slug: Slug, detail: impl Into<Cow<'static, str>>) -> Verdict {
        if self.status.is_some() {
            Verdict::Broken
        } else {
            Verdict::Failed(Problem::new(slug, detail))
        }
    }
}

/// Whether the client has closed its connection while it waits: then nobody
/// wants the answer, and a provider may stop working on it. A client that only
/// closes its sending side looks the same, and is not waited for either.
pub(crate) fn is_gone(client: &mut Side<impl Line>, cx: &mut Context<'_>) -> bool {
    client.inbound.is_empty() && matches!(client.poll_fill(cx), Poll::Ready(Ok(0) | Err(_)))
}
