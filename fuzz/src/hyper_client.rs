//! Answers as hyper's client reads them.

use std::pin::pin;
use std::task::{Context, Poll};

use http::{Method, Request};
use http_body_util::Empty;
use hyper::body::{Body, Bytes, Incoming};
use hyper::client::conn::http1;

use crate::hyper_server::fields;
use crate::memory::{self, Memory};
use crate::ours::Heads;
use crate::reading::{End, Message, Reading, Start};

/// Reads answers, of which each ends where `ours` says: nothing behind that
/// arrives before the next request was sent. So one that it takes for longer
/// never becomes whole, and one that it takes for shorter leaves bytes that
/// nobody has asked for, which it notices.
pub fn read(input: &[u8], heads: Heads, ours: &Reading) -> Reading {
    let mut reading = Reading::default();
    let connection = Memory::default();
    let handshake = pin!(
        http1::Builder::new()
            .max_headers(200)
            .handshake::<_, Empty<Bytes>>(connection.clone())
    );
    let mut handshake = handshake;
    let Some(Ok((mut sender, io))) = memory::run(|cx| handshake.as_mut().poll(cx)) else {
        panic!("a handshake needs nobody");
    };
    let mut io = pin!(io);
    let mut over = false;
    let mut drive = |cx: &mut Context<'_>| {
        // Its errors show in what was asked of it.
        over = over || io.as_mut().poll(cx).is_ready();
    };
    let mut sent = 0;
    let finals = ours.messages.iter().filter(|message| !is_interim(message));
    for (number, expected) in finals.enumerate() {
        let mut request = Request::new(Empty::new());
        if heads.contain(number) {
            *request.method_mut() = Method::HEAD;
        }
        let end = expected.end.unwrap_or(input.len());
        let mut answer = pin!(sender.send_request(request));
        // The request must be on its way before its answer.
        let early = memory::run(|cx| {
            drive(cx);
            answer.as_mut().poll(cx)
        });
        assert!(early.is_none(), "an answer before it was sent: {early:?}");
        connection.send(&input[sent..end]);
        sent = end;
        if end == input.len() && !(expected.whole && expected.keep) {
            connection.end();
        }
        let response = memory::run(|cx| {
            drive(cx);
            answer.as_mut().poll(cx)
        });
        let (head, mut body) = match response {
            None => break,
            Some(Err(error)) => {
                reading.end = End::Refused(format!("{error:?}"));
                break;
            }
            Some(Ok(response)) => response.into_parts(),
        };
        let start = Start::Answer {
            status: head.status.as_u16(),
        };
        let mut message = Message::begun(start, fields(&head.headers), false);
        let read = memory::run(|cx| {
            drive(cx);
            frames(&mut body, &mut message, cx)
        });
        match read {
            None => {}
            Some(Err(error)) => reading.end = End::Refused(format!("{error:?}")),
            Some(Ok(())) => {
                message.whole = true;
                let ready = memory::run(|cx| {
                    drive(cx);
                    sender.poll_ready(cx)
                });
                message.keep = matches!(ready, Some(Ok(())));
            }
        }
        let go_on = message.whole && message.keep;
        reading.messages.push(message);
        if !go_on {
            break;
        }
    }
    reading
}

fn is_interim(message: &Message) -> bool {
    matches!(message.start, Start::Answer { status: 100..=199 })
}

fn frames(
    body: &mut Incoming,
    message: &mut Message,
    cx: &mut Context<'_>,
) -> Poll<hyper::Result<()>> {
    loop {
        match std::pin::Pin::new(&mut *body).poll_frame(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(None) => return Poll::Ready(Ok(())),
            Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error)),
            Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) => message.body.extend_from_slice(&data),
                Err(frame) => {
                    let trailers = frame.into_trailers().unwrap_or_default();
                    message.trailers = fields(&trailers);
                }
            },
        }
    }
}
