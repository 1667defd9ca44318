//! Bodies between versions: framing, trailers, and nothing held back.

use bytes::Bytes;
use http::{HeaderMap, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

use super::caller::{Caller, answer, read, request, soon, with};
use super::frames::{
    END_HEADERS, END_STREAM, HEADERS, PREFACE, PSEUDO, RST_STREAM, Raw, SETTINGS, block, frame,
};
use super::provider::{self, send};
use crate::provider::Provider;
use crate::rig::Rig;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn trailers(name: &'static str, value: &str) -> HeaderMap {
    let mut map = HeaderMap::new();
    map.insert(name, value.parse().unwrap());
    map
}

/// As gRPC does it: both sides speak in turns for as long as they like, and
/// the status comes last.
#[tokio::test]
async fn a_stream_in_both_directions_ends_with_its_trailers() {
    let provider = provider::echo().await;
    let rig = Rig::with(&provider);
    let mut caller = Caller::connect(rig.address).await;
    let fields = [("te", "trailers"), ("content-type", "application/grpc")];
    let call = with(request("POST", "/api/shop.Items/Watch"), &fields);
    let (response, mut up) = caller.begin(call).await;
    let mut down = soon(response).await.unwrap().into_body();
    for message in ["one", "two", "three"] {
        up.send_data(Bytes::from(message), false).unwrap();
        let mut heard = Vec::new();
        while heard.len() < message.len() {
            heard.extend(soon(down.data()).await.unwrap().unwrap());
        }
        assert_eq!(heard, message.as_bytes());
    }
    up.send_trailers(trailers("grpc-status", "0")).unwrap();
    let (rest, last) = read(&mut down).await.unwrap();
    assert_eq!(
        (rest, &last["grpc-status"]),
        (Vec::new(), &"0".parse().unwrap())
    );
    let head = provider.head();
    assert!(head.contains("\r\nte: trailers\r\n"), "{head}");
    assert!(!head.contains("content-length"), "{head}");
}

/// As gRPC's servers refuse a call whose messages are still to come: the end
/// of the stream and its reset are one write.
#[tokio::test]
async fn an_answer_of_trailers_only_ends_with_its_head() {
    let provider = Provider::accept(&[b"h2"], |mut stream, _| async move {
        let mut preface = [0; PREFACE.len()];
        stream.read_exact(&mut preface).await.unwrap();
        let mut raw = Raw(stream);
        raw.send(SETTINGS, 0, 0, &[]).await;
        while let Some(asked) = raw.frame().await {
            if asked.kind == HEADERS {
                // ":status: 200", from the table that everybody has.
                let head = [&[0x88], &block(&[("grpc-status", "16")])[..]].concat();
                let refusal = [
                    frame(HEADERS, END_HEADERS | END_STREAM, asked.stream, &head),
                    frame(RST_STREAM, 0, asked.stream, &[0; 4]),
                ];
                raw.0.write_all(&refusal.concat()).await.unwrap();
            }
        }
    })
    .await;
    let rig = Rig::with(&provider);
    let mut raw = Raw::connect(rig.address).await;
    let mut fields = PSEUDO;
    fields[0] = (":method", "POST");
    raw.send(HEADERS, END_HEADERS, 1, &block(&fields)).await;
    let head = loop {
        let frame = raw.frame().await.unwrap();
        if frame.stream == 1 {
            break frame;
        }
    };
    assert_eq!((head.kind, head.flags), (HEADERS, END_HEADERS | END_STREAM));
}

#[tokio::test]
async fn trailers_cross_from_and_to_chunks() {
    let provider = Provider::start(|mut peer| async move {
        peer.head().await;
        let body = peer.until("\r\n\r\n").await;
        assert_eq!(body, "3\r\nabc\r\n0\r\nx-sum: 1\r\n\r\n");
        peer.send(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-End\r\n\r\n\
             2\r\nde\r\n0\r\nX-End: 2\r\nContent-Length: 9\r\n\r\n",
        )
        .await;
        peer.ended().await;
    })
    .await;
    let rig = Rig::with(&provider);
    let mut caller = Caller::connect(rig.address).await;
    let (response, mut up) = caller.begin(request("POST", "/api/")).await;
    up.send_data(Bytes::from("abc"), false).unwrap();
    let mut last = trailers("x-sum", "1");
    last.insert("authorization", "mine".parse().unwrap());
    up.send_trailers(last).unwrap();
    let answer = answer(response).await.unwrap();
    assert_eq!(
        (answer.text(), answer.field("trailer")),
        ("de", Some("X-End"))
    );
    assert_eq!(answer.trailers, trailers("x-end", "2"));
    assert_eq!(answer.field("transfer-encoding"), None);
    assert!(
        provider
            .head()
            .contains("\r\ntransfer-encoding: chunked\r\n")
    );

    let provider = provider::echo().await;
    let rig = Rig::with(&provider);
    let mut caller = rig.caller().await;
    caller
        .send(
            "POST /api/ HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n\
             3\r\nabc\r\n0\r\nX-Sum: 1\r\nAuthorization: mine\r\n\r\n",
        )
        .await;
    let head = caller.head().await;
    assert!(head.contains("transfer-encoding: chunked\r\n"), "{head}");
    assert_eq!(
        caller.until("\r\n\r\n").await,
        "3\r\nabc\r\n0\r\nx-sum: 1\r\n\r\n"
    );
}

#[tokio::test]
async fn trailers_that_are_announced_come_behind_a_declared_length_too() {
    let provider = provider::start(|mut call| async move {
        let answer = Response::builder()
            .header("content-length", "2")
            .header("trailer", "x-end");
        let mut down = call.begin(answer.body(()).unwrap());
        down.send_data(Bytes::from("ok"), false).unwrap();
        down.send_trailers(trailers("x-end", "2")).unwrap();
    })
    .await;
    let rig = Rig::with(&provider);
    let mut caller = Caller::connect(rig.address).await;
    let answer = caller.get("/api/").await;
    assert_eq!(answer.text(), "ok");
    assert_eq!(answer.trailers, trailers("x-end", "2"));
    let mut caller = rig.caller().await;
    caller
        .send("GET /api/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    assert!(!caller.head().await.contains("content-length"));
    let body = caller.until("\r\n\r\n").await;
    assert_eq!(body, "2\r\nok\r\n0\r\nx-end: 2\r\n\r\n");
}

#[tokio::test]
async fn every_frame_is_passed_on_when_it_comes() {
    let (next, frames) = mpsc::channel::<()>(1);
    let frames = std::sync::Mutex::new(Some(frames));
    let provider = provider::start(move |mut call| {
        let frames = frames.lock().unwrap().take();
        async move {
            let mut down = call.begin(Response::new(()));
            let mut frames = frames.unwrap();
            while frames.recv().await.is_some() {
                down.send_data(Bytes::from("data\n\n"), false).unwrap();
            }
            down.send_data(Bytes::new(), true).unwrap();
        }
    })
    .await;
    let rig = Rig::with(&provider);
    let mut caller = rig.caller().await;
    caller
        .send("GET /api/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    caller.head().await;
    for _ in 0..3 {
        next.send(()).await.unwrap();
        assert_eq!(caller.until("\n\n\r\n").await, "6\r\ndata\n\n\r\n");
    }
    drop(next);
    assert_eq!(caller.until("\r\n\r\n").await, "0\r\n\r\n");
}

#[tokio::test]
async fn a_declared_length_that_is_not_kept_reaches_nobody_as_a_whole() {
    for (declared, body) in [("5", "abc"), ("2", "abc")] {
        let provider = Provider::start(move |mut peer| async move {
            peer.head().await;
            let whole: usize = declared.parse().unwrap();
            let body = peer.bytes(whole).await;
            assert!(body.len() < whole, "{body:?} passed for the whole");
        })
        .await;
        let rig = Rig::with(&provider);
        let mut caller = Caller::connect(rig.address).await;
        let post = with(request("POST", "/api/"), &[("content-length", declared)]);
        let error = caller.post(post, body).await.unwrap_err();
        assert!(error.is_reset(), "{error}");
    }
}

#[tokio::test]
async fn cookies_are_one_field_again() {
    let provider = Provider::answering(OK).await;
    let rig = Rig::with(&provider);
    let mut caller = Caller::connect(rig.address).await;
    let crumbs = [("cookie", "a=1"), ("accept", "*/*"), ("cookie", "b=2")];
    let get = with(request("GET", "/api/"), &crumbs);
    assert_eq!(caller.call(get).await.unwrap().text(), "ok");
    let head = provider.head();
    assert!(head.contains("\r\ncookie: a=1; b=2\r\n"), "{head}");
}

#[tokio::test]
async fn who_waits_to_be_told_to_go_on_is_told_here() {
    let provider = provider::echo().await;
    let rig = Rig::with(&provider);
    let mut caller = rig.caller().await;
    caller
        .send("POST /api/ HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        .await;
    assert_eq!(caller.head().await, "HTTP/1.1 100 Continue\r\n\r\n");
    caller.send("ab").await;
    assert_eq!(caller.answer().await.text(), "ab");

    let mut caller = Caller::connect(rig.address).await;
    let expecting = [("expect", "100-continue")];
    let call = with(request("POST", "/api/"), &expecting);
    let (mut response, mut up) = caller.begin(call).await;
    let told = soon(std::future::poll_fn(|cx| response.poll_informational(cx))).await;
    assert_eq!(told.unwrap().unwrap().status(), 100);
    up.send_data(Bytes::from("cd"), true).unwrap();
    assert_eq!(answer(response).await.unwrap().text(), "cd");
    assert!(!provider.heads().concat().contains("expect"));

    // A refusal comes instead of it.
    let call = with(request("POST", "/nobody/"), &expecting);
    let (mut response, _up) = caller.begin(call).await;
    let told = soon(std::future::poll_fn(|cx| response.poll_informational(cx))).await;
    assert!(told.is_none());
    assert_eq!(answer(response).await.unwrap().status(), 404);
}

#[tokio::test]
async fn an_early_answer_arrives_while_the_body_still_flows() {
    let provider = provider::start(|mut call| async move {
        let mut down = call.begin(Response::new(()));
        send(&mut down, Bytes::from("early")).await;
        let (body, _) = call.whole().await.unwrap();
        send(&mut down, Bytes::from(body)).await;
        down.send_data(Bytes::new(), true).unwrap();
    })
    .await;
    let rig = Rig::with(&provider);
    let mut caller = Caller::connect(rig.address).await;
    let (response, mut up) = caller.begin(request("POST", "/api/")).await;
    let mut down = soon(response).await.unwrap().into_body();
    assert_eq!(soon(down.data()).await.unwrap().unwrap(), "early");
    up.send_data(Bytes::from("late"), true).unwrap();
    assert_eq!(read(&mut down).await.unwrap().0, b"late");
}
