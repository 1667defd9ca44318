//! Requests as hyper's server reads them.

use std::cell::RefCell;
use std::convert::Infallible;
use std::pin::pin;
use std::rc::Rc;

use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;

use crate::memory::{self, Memory};
use crate::reading::{End, Field, Message, Reading, Start};

/// Reads requests until hyper has had enough or the input has ended.
pub fn read(input: &[u8]) -> Reading {
    let connection = Memory::default();
    connection.send(input);
    connection.end();
    let seen = Rc::new(RefCell::new(Reading::default()));
    let service = service_fn(|request| answer(request, Rc::clone(&seen)));
    let ended = {
        let serving = http1::Builder::new()
            .half_close(true)
            .max_headers(200)
            .serve_connection(connection, service);
        let mut serving = pin!(serving);
        memory::run(|cx| serving.as_mut().poll(cx))
    };
    let mut reading = seen.take();
    match ended {
        Some(Err(error)) => reading.end = End::Refused(format!("{error:?}")),
        Some(Ok(())) => {}
        None => panic!("hyper waits for more after the end of the input"),
    }
    reading
}

/// A refusal by status, so that CONNECT and Upgrade change nothing.
async fn answer(
    request: Request<Incoming>,
    seen: Rc<RefCell<Reading>>,
) -> Result<Response<Empty<Bytes>>, Infallible> {
    let (head, mut body) = request.into_parts();
    let start = Start::Request {
        method: head.method.as_str().into(),
        target: head.uri.to_string().as_str().into(),
        minor: u8::from(head.version == http::Version::HTTP_11),
    };
    // It does not say whether it keeps a connection: that shows by what it
    // reads next.
    let message = Message::begun(start, fields(&head.headers), true);
    seen.borrow_mut().messages.push(message);
    while let Some(frame) = body.frame().await {
        let mut seen = seen.borrow_mut();
        let message = seen.messages.last_mut().expect("it was pushed above");
        match frame {
            Err(error) => {
                seen.end = End::Refused(format!("{error:?}"));
                return Ok(not_found());
            }
            Ok(frame) => match frame.into_data() {
                Ok(data) => message.body.extend_from_slice(&data),
                Err(frame) => {
                    let trailers = frame.into_trailers().unwrap_or_default();
                    message.trailers = fields(&trailers);
                }
            },
        }
    }
    if let Some(message) = seen.borrow_mut().messages.last_mut() {
        message.whole = true;
    }
    Ok(not_found())
}

fn not_found() -> Response<Empty<Bytes>> {
    let mut response = Response::new(Empty::new());
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

/// The fields of hyper's map.
pub(crate) fn fields(map: &http::HeaderMap) -> Vec<Field> {
    map.iter()
        .map(|(name, value)| (name.as_str().into(), value.as_bytes().into()))
        .collect()
}
