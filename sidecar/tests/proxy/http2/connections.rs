//! How many connections there are, and what becomes of calls when they end.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use h2::Reason;
use h2::server::Builder;
use http::Response;
use tokio::io::AsyncReadExt;
use tokio::sync::{Barrier, mpsc};
use tokio::task::JoinSet;

use super::caller::{Caller, request, soon};
use super::frames::{END_HEADERS, END_STREAM, GOAWAY, HEADERS, PREFACE, Raw, SETTINGS};
use super::provider::{self, send, start_with};
use crate::provider::Provider;
use crate::rig::Rig;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[tokio::test]
async fn calls_at_one_time_share_one_connection_from_the_first_on() {
    let together = Arc::new(Barrier::new(20));
    let provider = provider::start(move |mut call| {
        let together = Arc::clone(&together);
        async move {
            together.wait().await;
            call.answer("ok");
        }
    })
    .await;
    let rig = Rig::with(&provider);
    let mut calls = JoinSet::new();
    for _ in 0..20 {
        let mut caller = rig.caller().await;
        calls.spawn(async move { caller.get("/api/").await.text().to_owned() });
    }
    assert_eq!(calls.join_all().await, ["ok"; 20]);
    assert_eq!(provider.connections(), 1);
    let metrics = rig.handle.metrics().render();
    assert!(metrics.contains("\ncredence_upstream_connections 1\n"));
}

#[tokio::test]
async fn a_connection_more_is_opened_when_the_provider_allows_no_more_streams() {
    let together = Arc::new(Barrier::new(5));
    let used = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&used);
    let mut settings = Builder::new();
    settings.max_concurrent_streams(2);
    let provider = start_with(settings, move |mut call| {
        let (together, used) = (Arc::clone(&together), Arc::clone(&seen));
        async move {
            used.lock().unwrap().push(call.connection);
            together.wait().await;
            call.answer("ok");
        }
    })
    .await;
    let rig = Rig::with(&provider);
    let mut calls = JoinSet::new();
    let mut caller = Caller::connect(rig.address).await;
    for _ in 0..5 {
        let get = request("GET", "/api/");
        let (response, _) = caller.send.send_request(get, true).unwrap();
        calls.spawn(async { super::caller::answer(response).await.unwrap().status() });
    }
    assert_eq!(calls.join_all().await, [200; 5]);
    let mut used = used.lock().unwrap().clone();
    used.sort_unstable();
    assert_eq!(used, [0, 0, 1, 1, 2]);
    assert_eq!(provider.connections(), 3);
}

#[tokio::test]
async fn a_provider_of_http_1_is_asked_on_as_many_connections_as_there_are_calls() {
    let together = Arc::new(Barrier::new(5));
    let provider = Provider::start(move |mut peer| {
        let together = Arc::clone(&together);
        async move {
            while peer.head().await.is_some() {
                together.wait().await;
                peer.send(OK).await;
            }
        }
    })
    .await;
    let rig = Rig::with(&provider);
    let mut caller = Caller::connect(rig.address).await;
    let mut calls = JoinSet::new();
    for _ in 0..5 {
        let get = request("GET", "/api/");
        let (response, _) = caller.send.send_request(get, true).unwrap();
        calls.spawn(async { super::caller::answer(response).await.unwrap().status() });
    }
    assert_eq!(calls.join_all().await, [200; 5]);
    assert_eq!(provider.connections(), 5);
}

#[tokio::test]
async fn an_answer_that_nobody_reads_stops_no_other() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let provider = provider::start(move |mut call| {
        let tell = tell.clone();
        async move {
            if call.path() == "/v1/small" {
                return call.answer("ok");
            }
            let mut down = call.begin(Response::new(()));
            let piece = Bytes::from(vec![b'x'; 1024]);
            while send(&mut down, piece.clone()).await.is_some() {
                let _ = tell.send(piece.len());
            }
        }
    })
    .await;
    let rig = Rig::with(&provider);
    let mut stuck = Vec::new();
    for _ in 0..20 {
        let mut caller = Caller::connect(rig.address).await;
        let get = request("GET", "/api/endless");
        let (response, _) = caller.send.send_request(get, true).unwrap();
        stuck.push((soon(response).await.unwrap(), caller));
    }
    for _ in 0..100 {
        assert_eq!(rig.caller().await.get("/api/small").await.text(), "ok");
    }
    assert_eq!(provider.connections(), 1);
    let mut sent = 0;
    while let Ok(length) = told.try_recv() {
        sent += length;
    }
    // What fits in the windows of both sides, and the buffers between.
    assert!(sent < 20 * 1024 * 1024, "{sent}");
}

/// Serves raw connections of HTTP/2, each by its number.
async fn numbered<F, S>(script: F) -> Provider
where
    F: Fn(usize, h2::server::Connection<Tls, Bytes>) -> S + Send + Sync + 'static,
    S: Future<Output = ()> + Send + 'static,
{
    let count = AtomicUsize::new(0);
    let script = Arc::new(script);
    Provider::accept(&[b"h2"], move |stream, _| {
        let number = count.fetch_add(1, Ordering::SeqCst);
        let script = Arc::clone(&script);
        async move {
            let connection = h2::server::handshake(stream).await.unwrap();
            script(number, connection).await;
        }
    })
    .await
}

type Tls = tokio_rustls::server::TlsStream<tokio::net::TcpStream>;

/// Answers all requests of a connection.
async fn answering(mut connection: h2::server::Connection<Tls, Bytes>) {
    while let Some(Ok((_, mut respond))) = connection.accept().await {
        let mut body = respond.send_response(Response::new(()), false).unwrap();
        body.send_data(Bytes::from("ok"), true).unwrap();
    }
}

#[tokio::test]
async fn a_call_that_the_provider_did_not_process_is_made_again_whatever_it_is() {
    let provider = numbered(|number, mut connection| async move {
        if number > 0 {
            return answering(connection).await;
        }
        let (_, mut refused) = connection.accept().await.unwrap().unwrap();
        refused.send_reset(Reason::REFUSED_STREAM);
        while connection.accept().await.is_some() {}
    })
    .await;
    let rig = Rig::with(&provider);
    let mut caller = rig.caller().await;
    caller
        .send("POST /api/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nsmall")
        .await;
    assert_eq!(caller.answer().await.text(), "ok");
    assert_eq!(provider.connections(), 2);
}

#[tokio::test]
async fn a_call_that_is_refused_on_every_connection_is_given_up() {
    let provider = numbered(|_, mut connection| async move {
        while let Some(Ok((_, mut refused))) = connection.accept().await {
            refused.send_reset(Reason::REFUSED_STREAM);
        }
    })
    .await;
    let rig = Rig::with(&provider);
    let answer = rig.caller().await.get("/api/").await;
    assert_eq!(
        (answer.status(), answer.slug()),
        (502, Some("upstream-unreachable"))
    );
    assert_eq!(provider.connections(), 4);
}

/// As a server does that serves only so many requests on a connection.
#[tokio::test]
async fn calls_beyond_the_last_one_of_a_connection_go_on_elsewhere() {
    let provider = Provider::accept(&[b"h2"], |mut stream, _| async move {
        let mut preface = [0; PREFACE.len()];
        stream.read_exact(&mut preface).await.unwrap();
        let mut raw = Raw(stream);
        raw.send(SETTINGS, 0, 0, &[]).await;
        let mut calls = 0;
        while let Some(frame) = raw.frame().await {
            calls += usize::from(frame.kind == HEADERS);
            if frame.kind == HEADERS && calls == 3 {
                raw.send(GOAWAY, 0, 0, &[0, 0, 0, 5, 0, 0, 0, 0]).await;
                for stream in [1, 3, 5] {
                    // ":status: 200", from the table that everybody has.
                    let flags = END_STREAM | END_HEADERS;
                    raw.send(HEADERS, flags, stream, &[0x88]).await;
                }
            }
        }
    })
    .await;
    let rig = Rig::with(&provider);
    let mut caller = Caller::connect(rig.address).await;
    let mut calls = JoinSet::new();
    for _ in 0..9 {
        let post = request("POST", "/api/");
        let (response, _) = caller.send.send_request(post, true).unwrap();
        calls.spawn(async { super::caller::answer(response).await.unwrap().status() });
    }
    assert_eq!(calls.join_all().await, [200; 9]);
}

#[tokio::test]
async fn a_connection_that_says_goodbye_ends_what_it_has_and_gets_no_more() {
    let (go, gone) = mpsc::channel::<()>(1);
    let gone = Mutex::new(Some(gone));
    let provider = numbered(move |number, mut connection| {
        let gone = gone.lock().unwrap().take();
        async move {
            let Some(mut gone) = gone.filter(|_| number == 0) else {
                return answering(connection).await;
            };
            let (_, mut respond) = connection.accept().await.unwrap().unwrap();
            connection.graceful_shutdown();
            let mut body = respond.send_response(Response::new(()), false).unwrap();
            body.send_data(Bytes::from("be"), false).unwrap();
            loop {
                tokio::select! {
                    accepted = connection.accept() => assert!(accepted.is_none()),
                    _ = gone.recv() => break,
                }
            }
            body.send_data(Bytes::from("gun"), true).unwrap();
            while connection.accept().await.is_some() {}
        }
    })
    .await;
    let rig = Rig::with(&provider);
    let mut first = Caller::connect(rig.address).await;
    let get = request("GET", "/api/");
    let (response, _) = first.send.send_request(get, true).unwrap();
    let mut body = soon(response).await.unwrap().into_body();
    assert_eq!(soon(body.data()).await.unwrap().unwrap(), "be");
    // As soon as the goodbye is here; nothing else can tell.
    while provider.connections() == 1 {
        assert_eq!(rig.caller().await.get("/api/").await.status(), 200);
    }
    go.send(()).await.unwrap();
    assert_eq!(super::caller::read(&mut body).await.unwrap().0, b"gun");
}

#[tokio::test]
async fn a_connection_that_breaks_costs_an_idempotent_call_nothing() {
    let provider = numbered(|number, mut connection| async move {
        if number > 0 {
            return answering(connection).await;
        }
        // The second one is never answered.
        let (_, mut respond) = connection.accept().await.unwrap().unwrap();
        respond.send_response(Response::new(()), true).unwrap();
        let _second = connection.accept().await;
    })
    .await;
    let rig = Rig::with(&provider);
    let mut caller = rig.caller().await;
    assert_eq!(caller.get("/api/").await.text(), "");
    assert_eq!(caller.get("/api/").await.text(), "ok");
    assert_eq!(provider.connections(), 2);
}

#[tokio::test]
async fn a_call_that_may_have_been_acted_on_is_not_made_twice() {
    for goodbye in [false, true] {
        let provider = numbered(move |_, mut connection| async move {
            let _call = connection.accept().await;
            if goodbye {
                // Which counts the call among those that it has seen.
                connection.abrupt_shutdown(Reason::INTERNAL_ERROR);
                let _ = std::future::poll_fn(|cx| connection.poll_closed(cx)).await;
            }
        })
        .await;
        let rig = Rig::with(&provider);
        let mut caller = Caller::connect(rig.address).await;
        let answer = caller.post(request("POST", "/api/"), "x").await.unwrap();
        assert_eq!(
            (answer.status(), answer.slug()),
            (502, Some("upstream-unreachable"))
        );
        assert_eq!(provider.connections(), 1);
    }
}

/// What one call leaves unread, and what it is told, stays with it.
#[tokio::test]
async fn calls_on_one_connection_are_kept_apart() {
    let provider = provider::start(|mut call| async move {
        let own = Bytes::from(call.path().to_owned());
        let mut down = call.begin(Response::new(()));
        for at in 0..own.len() {
            down.send_data(own.slice(at..=at), false).unwrap();
        }
        down.send_data(Bytes::new(), true).unwrap();
    })
    .await;
    let rig = Rig::with(&provider);
    let mut caller = Caller::connect(rig.address).await;
    let mut calls = JoinSet::new();
    for at in 0..50 {
        let get = request("GET", &format!("/api/{at}"));
        let (response, _) = caller.send.send_request(get, true).unwrap();
        calls.spawn(async move {
            let answer = super::caller::answer(response).await.unwrap();
            assert_eq!(answer.text(), format!("/v1/{at}"));
            at
        });
    }
    let answered: BTreeSet<i32> = calls.join_all().await.into_iter().collect();
    assert_eq!(answered.len(), 50);
    assert_eq!(provider.connections(), 1);
}
