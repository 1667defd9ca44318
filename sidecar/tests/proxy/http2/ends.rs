//! What ends too early never passes for a whole.

use bytes::Bytes;
use h2::Reason;
use http::Response;
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;

use super::caller::{Caller, answer, read, request, soon};
use super::frames::{DATA, END_HEADERS, HEADERS, PREFACE, RST_STREAM, Raw, SETTINGS};
use super::provider::{self, Call, send};
use crate::provider::Provider;
use crate::rig::Rig;

/// Sends the beginning of an answer, and then an error.
async fn breaking_off(mut call: Call) {
    let response = match call.path() {
        "/v1/length" => Response::builder().header("content-length", "10"),
        _ => Response::builder(),
    };
    let mut down = call.begin(response.body(()).unwrap());
    send(&mut down, Bytes::from("begun")).await;
    // Once the caller has it.
    let _ = call.body.data().await;
    down.send_reset(Reason::INTERNAL_ERROR);
}

#[tokio::test]
async fn an_answer_that_is_reset_is_cut_on_both_versions() {
    let provider = provider::start(breaking_off).await;
    let rig = Rig::with(&provider);
    for path in ["chunks", "length"] {
        let mut caller = rig.caller().await;
        caller
            .send(format!(
                "POST /api/{path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n"
            ))
            .await;
        caller.until("begun").await;
        caller.send("x").await;
        let error = caller.rest().await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{path}");

        let mut caller = Caller::connect(rig.address).await;
        let post = request("POST", &format!("/api/{path}"));
        let (response, mut up) = caller.begin(post).await;
        let mut down = soon(response).await.unwrap().into_body();
        assert_eq!(soon(down.data()).await.unwrap().unwrap(), "begun");
        up.send_data(Bytes::from("x"), true).unwrap();
        let error = read(&mut down).await.unwrap_err();
        assert!(error.is_reset(), "{path}: {error}");
        // The others on the connection do not notice.
        assert_eq!(caller.get("/").await.status(), 200);
    }
}

/// A reset that says that nothing is wrong is no end of an answer that has not
/// ended.
#[tokio::test]
async fn an_answer_that_is_reset_without_an_error_is_cut_too() {
    let provider = Provider::accept(&[b"h2"], |mut stream, _| async move {
        let mut preface = [0; PREFACE.len()];
        stream.read_exact(&mut preface).await.unwrap();
        let mut raw = Raw(stream);
        raw.send(SETTINGS, 0, 0, &[]).await;
        while let Some(asked) = raw.frame().await {
            if asked.kind == HEADERS {
                // ":status: 200", from the table that everybody has.
                raw.send(HEADERS, END_HEADERS, asked.stream, &[0x88]).await;
                raw.send(DATA, 0, asked.stream, b"begun").await;
                raw.send(RST_STREAM, 0, asked.stream, &[0; 4]).await;
            }
        }
    })
    .await;
    let rig = Rig::with(&provider);
    let mut caller = Caller::connect(rig.address).await;
    let (response, _up) = caller.begin(request("POST", "/api/")).await;
    let error = answer(response).await.unwrap_err();
    assert!(error.is_reset(), "{error}");
}

#[tokio::test]
async fn an_answer_that_breaks_off_in_http_1_is_reset() {
    for head in ["Content-Length: 10", "Transfer-Encoding: chunked"] {
        let head = format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n5\r\nbegun");
        let provider = Provider::start(move |mut peer| {
            let head = head.clone();
            async move {
                peer.head().await;
                peer.send(head).await;
                peer.close().await;
            }
        })
        .await;
        let rig = Rig::with(&provider);
        let mut caller = Caller::connect(rig.address).await;
        let error = caller.call(request("GET", "/api/")).await.unwrap_err();
        assert!(error.is_reset(), "{error}");
    }
}

#[tokio::test]
async fn a_body_until_close_is_whole_when_the_connection_ends_in_order() {
    let provider = Provider::start(|mut peer| async move {
        peer.head().await;
        peer.send("HTTP/1.1 200 OK\r\n\r\nall there is").await;
        peer.close().await;
    })
    .await;
    let rig = Rig::with(&provider);
    let mut caller = Caller::connect(rig.address).await;
    assert_eq!(caller.get("/api/").await.text(), "all there is");
}

#[tokio::test]
async fn an_upload_that_breaks_off_is_reset_at_the_provider() {
    let (tell, mut told) = mpsc::channel(2);
    let provider = provider::start(move |mut call| {
        let tell = tell.clone();
        async move {
            let error = call.whole().await.unwrap_err();
            tell.send(error.is_reset()).await.unwrap();
        }
    })
    .await;
    let rig = Rig::with(&provider);
    let mut caller = rig.caller().await;
    caller
        .send("POST /api/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nab")
        .await;
    drop(caller);
    assert_eq!(soon(told.recv()).await, Some(true));
    let mut caller = Caller::connect(rig.address).await;
    let (_response, mut up) = caller.begin(request("POST", "/api/")).await;
    up.send_data(Bytes::from("ab"), false).unwrap();
    up.send_reset(Reason::CANCEL);
    assert_eq!(soon(told.recv()).await, Some(true));
}

#[tokio::test]
async fn a_caller_who_goes_away_ends_the_call() {
    let (tell, mut told) = mpsc::channel(2);
    let provider = provider::start(move |mut call| {
        let tell = tell.clone();
        async move {
            let _ = tell.send(()).await;
            let reset = std::future::poll_fn(|cx| call.respond.poll_reset(cx)).await;
            assert_eq!(reset.unwrap(), Reason::CANCEL);
            let _ = tell.send(()).await;
        }
    })
    .await;
    let rig = Rig::with(&provider);
    let mut caller = Caller::connect(rig.address).await;
    let (response, _) = {
        let get = request("GET", "/api/");
        caller.send.send_request(get, true).unwrap()
    };
    soon(told.recv()).await.unwrap();
    drop(response);
    soon(told.recv()).await.unwrap();
    assert_eq!(caller.get("/").await.status(), 200);
}

#[tokio::test]
async fn an_answer_that_ends_an_upload_is_seen_by_the_caller() {
    let provider = provider::start(|mut call| async move {
        // What is left of the call is dropped: h2 says that it is no error.
        call.answer("enough");
    })
    .await;
    let rig = Rig::with(&provider);
    let mut caller = rig.caller().await;
    caller
        .send("POST /api/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500000000\r\n\r\n")
        .await;
    let piece = vec![b'x'; 64 * 1024];
    while caller.send_some(&piece).await {}
    // The rest of the connection may be lost to the reset.
    caller.until("enough").await;

    // Over HTTP/2 there is no reset before the answer can have been read.
    let mut caller = Caller::connect(rig.address).await;
    let (response, mut up) = caller.begin(request("POST", "/api/")).await;
    up.send_data(Bytes::from(piece), false).unwrap();
    assert_eq!(answer(response).await.unwrap().text(), "enough");
    assert_eq!(caller.get("/").await.status(), 200);
}
