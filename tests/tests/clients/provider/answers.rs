//! What a well-behaved provider answers.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST,
    HeaderName, HeaderValue, LOCATION,
};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::channel::Channel;
use http_body_util::{BodyExt as _, Either, Full};
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::State;
use crate::manifests::DUMMY;

type Body = Either<Full<Bytes>, Channel<Bytes, Infallible>>;

/// `{"packed": true}` and a line feed, by gzip.
const PACKED: &[u8] = &[
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xab, 0x56, 0x2a, 0x48, 0x4c, 0xce,
    0x4e, 0x4d, 0x51, 0xb2, 0x52, 0x28, 0x29, 0x2a, 0x4d, 0xad, 0xe5, 0x02, 0x00, 0x6b, 0xb6, 0x19,
    0x80, 0x11, 0x00, 0x00, 0x00,
];

/// The pieces of a large answer.
pub(crate) const PIECE: usize = 64 * 1024;

/// What goes up in one request.
struct Upload {
    length: u64,
    digest: String,
    /// The first bytes, for what is small.
    beginning: Vec<u8>,
}

/// Checks the credential, then answers by the path.
pub(crate) async fn answer(
    request: Request<Incoming>,
    state: &Arc<State>,
    connection: u64,
) -> Response<Body> {
    state.requests.fetch_add(1, Ordering::SeqCst);
    let (head, body) = request.into_parts();
    let key = match key(&head.headers, head.uri.query(), state) {
        Ok(key) => key,
        Err(reason) => {
            state.refused.fetch_add(1, Ordering::SeqCst);
            return with_status(StatusCode::UNAUTHORIZED, json!({"error": reason}));
        }
    };
    let Ok(upload) = receive(body).await else {
        return with_status(
            StatusCode::BAD_REQUEST,
            json!({"error": "the body broke off"}),
        );
    };
    let path = head.uri.path();
    match (
        head.method.as_str(),
        path.strip_prefix("/v1").unwrap_or(path),
    ) {
        ("POST", "/chat/completions") => chat(&upload.beginning, state),
        ("POST", "/files") => file(&head.headers, &upload),
        ("GET", "/go-on") => {
            state.heard.notify_one();
            answered(json!({}))
        }
        ("GET", "/key") => answered(json!({"key": key})),
        ("GET", "/gzip") => gzip(&head.headers),
        ("GET", "/redirect") => {
            let mut response = with_status(StatusCode::FOUND, json!({}));
            let host = head.uri.authority().map(ToString::to_string);
            let host = host.or_else(|| text(&head.headers, &HOST));
            let target = format!("https://{}/v1/echo?redirected", host.unwrap_or_default());
            if let Ok(target) = HeaderValue::try_from(target) {
                response.headers_mut().insert(LOCATION, target);
            }
            response
        }
        (_, path) => match path.strip_prefix("/bytes/").map(str::parse) {
            Some(Ok(length)) => download(length),
            _ => answered(json!({
                "method": head.method.as_str(),
                "target": head.uri.path_and_query().map(ToString::to_string),
                "version": format!("{:?}", head.version),
                "connection": connection,
                "length": upload.length,
                "sha256": upload.digest,
                "fields": head.headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(),
            })),
        },
    }
}

/// Which of the good keys it is, counted from the newest.
fn key(headers: &HeaderMap, query: Option<&str>, state: &State) -> Result<usize, &'static str> {
    let mut all = headers.values().map(HeaderValue::as_bytes);
    let dummy = |bytes: &[u8]| {
        bytes
            .windows(DUMMY.len())
            .any(|part| part == DUMMY.as_bytes())
    };
    if all.any(dummy) || query.is_some_and(|query| dummy(query.as_bytes())) {
        return Err("the app's own key has come through");
    }
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let (Some(one), None) = (given.next(), given.next()) else {
        return Err("not exactly one Authorization");
    };
    let good = state.keys();
    good.iter()
        .rev()
        .position(|key| key.as_bytes() == one.as_bytes())
        .ok_or("another credential")
}

/// Takes the whole body, and keeps none of it but its beginning.
async fn receive(mut body: Incoming) -> Result<Upload, hyper::Error> {
    let mut digest = Context::new(&SHA256);
    let (mut length, mut beginning) = (0, Vec::new());
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        digest.update(&data);
        length += data.len() as u64;
        if beginning.len() < 4 << 20 {
            beginning.extend_from_slice(&data);
        }
    }
    Ok(Upload {
        length,
        digest: hex(digest.finish().as_ref()),
        beginning,
    })
}

/// OpenAI's chat: says the question back, in capitals.
fn chat(body: &[u8], state: &Arc<State>) -> Response<Body> {
    let Ok(request) = serde_json::from_slice::<Value>(body) else {
        return with_status(StatusCode::BAD_REQUEST, json!({"error": "no JSON"}));
    };
    let question = request["messages"][0]["content"].as_str();
    let words = question.unwrap_or_default().to_uppercase();
    let common = json!({"id": "chatcmpl-1", "created": 1, "model": request["model"]});
    if request["stream"] != true {
        let message = json!({"role": "assistant", "content": words});
        let mut whole = common;
        whole["object"] = "chat.completion".into();
        whole["choices"] = json!([{"index": 0, "message": message, "finish_reason": "stop"}]);
        return answered(whole);
    }
    let state = Arc::clone(state);
    let (mut sender, body) = Channel::new(1);
    tokio::spawn(async move {
        for (number, word) in words.split_inclusive(' ').enumerate() {
            if number == 1 {
                // The rest is not said before somebody heard the beginning:
                // a proxy that held it back would wait for ever.
                state.heard.notified().await;
            }
            let mut chunk = common.clone();
            chunk["object"] = "chat.completion.chunk".into();
            chunk["choices"] = json!([{"index": 0, "delta": {"content": word}}]);
            let event = format!("data: {chunk}\n\n");
            if sender.send_data(event.into()).await.is_err() {
                return;
            }
        }
        // Whoever has gone does not need the end.
        let _ = sender.send_data("data: [DONE]\n\n".into()).await;
    });
    let mut response = Response::new(Either::Right(body));
    let events = HeaderValue::from_static("text/event-stream");
    response.headers_mut().insert(CONTENT_TYPE, events);
    response
}

/// OpenAI's files: what the part `file` of a form holds.
fn file(headers: &HeaderMap, upload: &Upload) -> Response<Body> {
    let kind = text(headers, &CONTENT_TYPE).unwrap_or_default();
    let content = kind
        .split_once("boundary=")
        .and_then(|(_, boundary)| part(&upload.beginning, boundary, "name=\"file\""));
    let Some(content) = content else {
        return with_status(StatusCode::BAD_REQUEST, json!({"error": "no file"}));
    };
    let mut digest = Context::new(&SHA256);
    digest.update(content);
    answered(json!({
        "id": format!("file-{}", hex(digest.finish().as_ref())),
        "object": "file",
        "bytes": content.len(),
        "created_at": 1,
        "filename": "data.jsonl",
        "purpose": "batch",
        "status": "processed",
    }))
}

/// The content of the part of a form (RFC 7578) whose head holds `name`.
fn part<'a>(form: &'a [u8], boundary: &str, name: &str) -> Option<&'a [u8]> {
    let end = format!("\r\n--{boundary}");
    let at = find(form, name.as_bytes())?;
    let begin = at + find(&form[at..], b"\r\n\r\n")? + 4;
    let length = find(&form[begin..], end.as_bytes())?;
    form.get(begin..begin + length)
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

fn gzip(headers: &HeaderMap) -> Response<Body> {
    if !text(headers, &ACCEPT_ENCODING).is_some_and(|accepted| accepted.contains("gzip")) {
        return answered(json!({"packed": false}));
    }
    let mut response = Response::new(Either::Left(Full::from(PACKED)));
    let fields = response.headers_mut();
    fields.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn download(length: u64) -> Response<Body> {
    let (mut sender, body) = Channel::new(1);
    tokio::spawn(async move {
        let mut sent = 0;
        while sent < length {
            let piece = pattern(sent, length);
            sent += piece.len() as u64;
            if sender.send_data(piece).await.is_err() {
                return;
            }
        }
    });
    let mut response = Response::new(Either::Right(body));
    response.headers_mut().insert(CONTENT_LENGTH, length.into());
    response
}

/// The piece of a large body that begins at `at`: each says where it stands, so
/// that none can be lost, doubled or exchanged unnoticed.
pub(crate) fn pattern(at: u64, length: u64) -> Bytes {
    let size = usize::try_from(length - at).unwrap_or(PIECE).min(PIECE);
    let mut piece = vec![b'x'; size];
    for (into, from) in piece.iter_mut().zip(at.to_be_bytes()) {
        *into = from;
    }
    piece.into()
}

fn answered(value: Value) -> Response<Body> {
    with_status(StatusCode::OK, value)
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "what json! makes is passed on"
)]
fn with_status(status: StatusCode, value: Value) -> Response<Body> {
    let mut response = Response::new(Either::Left(Full::from(value.to_string())));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
