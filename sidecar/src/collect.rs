//! Reads the whole body of a request.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::budget::Budget;
use crate::buffer::Side;
use crate::deadline::Deadline;
use crate::exchange::Request;
use crate::http1::{BodyError, Decoder, Event, Framing};
use crate::problem::Problem;
use crate::slug::Slug;
use crate::whole_body::WholeBody;

/// Why there is no body.
#[derive(Debug)]
pub(crate) enum Uncollected {
    /// The caller is to be told.
    Refused(Problem),
    /// The caller went away, or was silent for too long in the middle of it.
    Gone,
}

impl From<Problem> for Uncollected {
    fn from(problem: Problem) -> Self {
        Self::Refused(problem)
    }
}

impl From<BodyError> for Uncollected {
    fn from(error: BodyError) -> Self {
        let detail = format!("The body is not one of HTTP/1.1: {error}.");
        Self::Refused(Problem::new(Slug::BadRequest, detail))
    }
}

/// Reads the body of a request whose head has been taken off. `patience` is
/// how long nothing of it may come. Trailers are left out: there is no place
/// for them after a length.
///
/// # Errors
/// [`Uncollected`].
pub(crate) async fn collect<I: AsyncRead + AsyncWrite + Unpin>(
    client: &mut Side<I>,
    request: &Request,
    deadline: &mut Deadline,
    patience: Duration,
    budget: &Arc<Budget>,
) -> Result<WholeBody, Uncollected> {
    let length = match request.framing {
        Framing::Length(length) => Some(length),
        Framing::None | Framing::Chunked | Framing::UntilClose => None,
    };
    let mut body = WholeBody::expecting(length, budget)?;
    let mut decoder = Decoder::new(request.framing);
    // RFC 9110 §10.1.1: not to one that has begun to send it.
    if request.expects_continue && client.inbound.is_empty() {
        let go_on = b"HTTP/1.1 100 Continue\r\n\r\n";
        client.outbound.room().extend_from_slice(go_on);
    }
    deadline.set(patience);
    poll_fn(|cx| {
        loop {
            if take(client, &mut decoder, &mut body)? {
                return Poll::Ready(Ok(()));
            }
            match more(client, cx) {
                Poll::Ready(true) => {
                    deadline.set(patience);
                }
                Poll::Ready(false) => return Poll::Ready(Err(Uncollected::Gone)),
                Poll::Pending => {
                    ready!(deadline.poll_passed(cx));
                    return Poll::Ready(Err(Uncollected::Gone));
                }
            }
        }
    })
    .await?;
    Ok(body)
}

/// Takes what has arrived; says whether the body has ended.
fn take<I>(
    client: &mut Side<I>,
    decoder: &mut Decoder,
    body: &mut WholeBody,
) -> Result<bool, Uncollected> {
    loop {
        let (taken, event) = decoder.decode(client.inbound.bytes())?;
        let ended = match event {
            Event::Data(data) => {
                body.push(data)?;
                false
            }
            Event::More => {
                client.inbound.consume(taken);
                return Ok(false);
            }
            Event::End(_) => true,
        };
        client.inbound.consume(taken);
        if ended {
            return Ok(true);
        }
    }
}

/// Writes what is to be written and reads once; `false` when that is the end.
fn more<I: AsyncRead + AsyncWrite + Unpin>(
    client: &mut Side<I>,
    cx: &mut Context<'_>,
) -> Poll<bool> {
    if client.outbound.pending() > 0 && ready!(client.poll_flush(cx)).is_err() {
        return Poll::Ready(false);
    }
    client.poll_fill(cx).map(|read| matches!(read, Ok(1..)))
}
