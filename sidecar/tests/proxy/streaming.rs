//! Bodies on their way: framing kept, nothing held back, nothing piled up.

use tokio::sync::mpsc;

use crate::provider::Provider;
use crate::rig::Rig;

const POST: &str = "POST /api/ HTTP/1.1\r\nHost: localhost\r\n";

#[tokio::test]
async fn a_length_stays_a_length_in_both_directions() {
    let provider = Provider::start(|mut peer| async move {
        peer.head().await;
        let body = peer.bytes(5).await;
        peer.send([b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", &body[..]].concat())
            .await;
        peer.ended().await;
    })
    .await;
    let rig = Rig::with(&provider);
    let mut caller = rig.caller().await;
    caller
        .send(format!("{POST}Content-Length: 5\r\n\r\nhello"))
        .await;
    let answer = caller.answer().await;
    assert_eq!(
        (answer.field("content-length"), answer.text()),
        (Some("5"), "hello")
    );
    let head = provider.head();
    assert!(head.contains("\r\nContent-Length: 5\r\n") && !head.contains("Transfer-Encoding"));
}

#[tokio::test]
async fn chunks_stay_chunks_with_their_trailers_in_both_directions() {
    let provider = Provider::start(|mut peer| async move {
        peer.head().await;
        let body = peer.until("0\r\nX-Sum: 1\r\n\r\n").await;
        assert_eq!(body, "5\r\nhello\r\n6\r\n world\r\n0\r\nX-Sum: 1\r\n\r\n");
        peer.send(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-End\r\n\r\n\
             3;ext=1\r\nabc\r\n0\r\nX-End: 2\r\nContent-Length: 9\r\nCredence-Error: x\r\n\r\n",
        )
        .await;
        peer.ended().await;
    })
    .await;
    let rig = Rig::with(&provider);
    let mut caller = rig.caller().await;
    caller
        .send(format!(
            "{POST}Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5;a=b\r\nhello\r\n6\r\n world\r\n\
             0\r\nX-Sum: 1\r\nauthorization: mine\r\n\r\n"
        ))
        .await;
    let head = caller.head().await;
    assert!(
        head.contains("\r\nTransfer-Encoding: chunked\r\nTrailer: X-End\r\n"),
        "{head}"
    );
    assert_eq!(
        caller.until("\r\n\r\n").await,
        "3\r\nabc\r\n0\r\nX-End: 2\r\n\r\n"
    );
    assert!(
        provider
            .head()
            .contains("\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n")
    );
}

#[tokio::test]
async fn a_body_until_close_ends_with_the_connection() {
    let provider = Provider::start(|mut peer| async move {
        peer.head().await;
        peer.send("HTTP/1.1 200 OK\r\n\r\nall there is").await;
        peer.close().await;
    })
    .await;
    let rig = Rig::with(&provider);
    let mut caller = rig.caller().await;
    let answer = caller.get("/api/").await;
    assert_eq!(
        (answer.field("connection"), answer.text()),
        (Some("close"), "all there is")
    );
}

#[tokio::test]
async fn every_frame_is_passed_on_when_it_comes() {
    let (next, frames) = mpsc::channel::<()>(1);
    let frames = std::sync::Mutex::new(Some(frames));
    let provider = Provider::start(move |mut peer| {
        let frames = frames.lock().unwrap().take();
        async move {
            peer.head().await;
            peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                .await;
            let mut frames = frames.unwrap();
            while frames.recv().await.is_some() {
                peer.send("6\r\ndata\n\n\r\n").await;
            }
            peer.send("0\r\n\r\n").await;
            peer.ended().await;
        }
    })
    .await;
    let rig = Rig::with(&provider);
    let mut caller = rig.caller().await;
    caller
        .send("GET /api/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    assert!(caller.head().await.starts_with("HTTP/1.1 200 OK"));
    for _ in 0..3 {
        next.send(()).await.unwrap();
        assert_eq!(caller.until("\n\n\r\n").await, "6\r\ndata\n\n\r\n");
    }
    drop(next);
    assert_eq!(caller.until("\r\n\r\n").await, "0\r\n\r\n");
}

#[tokio::test]
async fn an_early_answer_arrives_while_the_body_still_flows() {
    let provider = Provider::start(|mut peer| async move {
        peer.head().await;
        peer.bytes(5).await;
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly")
            .await;
        peer.bytes(5).await;
        peer.head().await;
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext")
            .await;
        peer.ended().await;
    })
    .await;
    let rig = Rig::with(&provider);
    let mut caller = rig.caller().await;
    caller
        .send(format!("{POST}Content-Length: 10\r\n\r\nfirst"))
        .await;
    assert_eq!(caller.answer().await.text(), "early");
    caller.send("later").await;
    assert_eq!(caller.get("/api/").await.text(), "next");
    assert_eq!(provider.connections(), 1);
}

#[tokio::test]
async fn an_answer_that_ends_an_upload_is_seen_by_the_caller() {
    let provider = Provider::start(|mut peer| async move {
        peer.head().await;
        peer.send("HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno")
            .await;
        peer.close().await;
    })
    .await;
    let rig = Rig::with(&provider);
    let mut caller = rig.caller().await;
    caller
        .send(format!("{POST}Content-Length: 100000000\r\n\r\n"))
        .await;
    let piece = vec![b'x'; 64 * 1024];
    caller.send_some(&piece).await;
    let answer = caller.answer().await;
    assert_eq!((answer.status(), answer.text()), (413, "no"));
}

#[tokio::test]
async fn interim_answers_are_passed_on_and_continue_is_the_providers_to_say() {
    let provider = Provider::start(|mut peer| async move {
        let head = peer.head().await.unwrap();
        assert!(head.contains("\r\nExpect: 100-continue\r\n"));
        peer.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n")
            .await;
        let body = peer.bytes(2).await;
        peer.send([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", &body[..]].concat())
            .await;
        peer.ended().await;
    })
    .await;
    let rig = Rig::with(&provider);
    let mut caller = rig.caller().await;
    caller
        .send(format!(
            "{POST}Expect: 100-continue\r\nContent-Length: 2\r\n\r\n"
        ))
        .await;
    assert_eq!(
        caller.head().await,
        "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    );
    assert_eq!(caller.head().await, "HTTP/1.1 100 Continue\r\n\r\n");
    caller.send("hi").await;
    assert_eq!(caller.answer().await.text(), "hi");
}

#[tokio::test]
async fn http_10_callers_get_no_interim_answers() {
    let provider = Provider::answering(
        "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    )
    .await;
    let rig = Rig::with(&provider);
    let mut caller = rig.caller().await;
    caller
        .send("GET /api/ HTTP/1.0\r\nExpect: 100-continue\r\n\r\n")
        .await;
    assert_eq!(caller.answer().await.text(), "ok");
    assert!(!provider.head().contains("Expect"));
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_not_taken_for_whole() {
    for head in [
        "Content-Length: 10\r\n",
        "Transfer-Encoding: chunked\r\n",
        "", // until close, but without the session's end
    ] {
        let provider = Provider::start(move |mut peer| async move {
            peer.head().await;
            peer.send(format!("HTTP/1.1 200 OK\r\n{head}\r\n5\r\npart"))
                .await;
        })
        .await;
        let rig = Rig::with(&provider);
        let mut caller = rig.caller().await;
        caller
            .send("GET /api/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .await;
        let error = caller.rest().await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{head}");
    }
}

#[tokio::test]
async fn a_caller_who_goes_away_ends_the_call() {
    let (gone, mut told) = mpsc::channel::<()>(1);
    let provider = Provider::start(move |mut peer| {
        let gone = gone.clone();
        async move {
            peer.head().await;
            peer.ended().await;
            gone.send(()).await.unwrap();
        }
    })
    .await;
    let rig = Rig::with(&provider);
    for request in [
        "GET /api/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "POST /api/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\npart",
    ] {
        let before = provider.heads().len();
        let mut caller = rig.caller().await;
        caller.send(request).await;
        while provider.heads().len() == before {
            tokio::task::yield_now().await;
        }
        drop(caller);
        told.recv().await.unwrap();
    }
}
