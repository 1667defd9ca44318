//! Calls that are made again with another token.

use super::*;

#[tokio::test]
async fn a_refused_call_is_made_again_with_the_newer_token() {
    let large = "x".repeat(500_000);
    let patch = format!(
        "PATCH /api/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500000\r\n\r\n{large}"
    );
    let chunked = "POST /api/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n\
         3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n";
    for (request, body) in [
        ("GET /api/a?b HTTP/1.1\r\nHost: localhost\r\n\r\n", ""),
        (HELLO, "hello"),
        (&patch, &large),
        (chunked, "5\r\nhello\r\n0\r\n\r\n"),
    ] {
        let provider = accepting("t8", "401 Unauthorized").await;
        let rig = rig(&provider, "t7", 7);
        let told = renewing(&rig.handle);
        let mut caller = rig.caller().await;
        caller.send(request).await;
        let answer = caller.answer().await;
        assert_eq!(answer.status(), 200, "{}", answer.head);
        assert_eq!(answer.text(), body);
        let heads = provider.heads();
        assert_eq!(heads.len(), 2);
        assert_eq!(heads[0].replace("t7", "t8"), heads[1]);
        assert_eq!(caller.get("/api/b").await.status(), 200);
        // The answer was short enough to be over, and its connection free.
        assert_eq!(provider.connections(), 1);
        assert_eq!(told.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn a_token_in_the_body_is_replaced_there() {
    let provider = Provider::start(|mut peer| async move {
        while let Some(head) = peer.head().await {
            let body = whole_body(&mut peer, &head).await;
            let body = String::from_utf8(body).unwrap();
            if body.contains("t8") {
                let length = body.len();
                peer.send(format!(
                    "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}"
                ))
                .await;
            } else {
                peer.send(refused("401 Unauthorized")).await;
            }
        }
    })
    .await;
    let rig = placing(&provider, "t7", 7, |route, token| route.body.push(token));
    renewing(&rig.handle);
    let mut caller = rig.caller().await;
    caller
        .send(
            "POST /api/a HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: 8\r\n\r\n{\"a\": 1}",
        )
        .await;
    let answer = caller.answer().await;
    let sent: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(sent, json!({"a": 1, "Authorization": "Bearer t8"}));
}

#[tokio::test]
async fn a_call_is_made_again_once_and_an_api_that_refuses_everything_is_not_slow() {
    let provider = accepting("none", "401 Unauthorized").await;
    let rig = rig(&provider, "t7", 7);
    let told = renewing(&rig.handle);
    let mut caller = rig.caller().await;
    let began = Instant::now();
    let answer = caller.get("/api/a").await;
    assert_eq!((answer.status(), answer.text()), (401, "no such token"));
    assert_eq!(provider.heads().len(), 2);
    assert!(provider.heads()[1].contains("Bearer t8"));
    // The fresh token is refused, too, and another one is not to be had soon.
    for _ in 0..5 {
        assert_eq!(caller.get("/api/a").await.status(), 401);
    }
    assert!(began.elapsed() < SOON);
    assert_eq!(told.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_hundred_calls_that_are_refused_at_once_cost_one_renewal() {
    let provider = accepting("t8", "401 Unauthorized").await;
    let rig = rig(&provider, "t7", 7);
    let told = renewing(&rig.handle);
    let mut callers = JoinSet::new();
    for _ in 0..100 {
        let mut caller = rig.caller().await;
        callers.spawn(async move {
            caller.send(HELLO).await;
            let answer = caller.answer().await;
            (answer.status(), answer.text().to_owned())
        });
    }
    for answer in callers.join_all().await {
        assert_eq!(answer, (200, "hello".to_owned()));
    }
    assert_eq!(told.load(Ordering::SeqCst), 1);
    let heads = provider.heads();
    let good = heads.iter().filter(|head| is_good(head, "t8")).count();
    assert_eq!(good, 100, "each call was made with the new token once");
}

#[tokio::test]
async fn a_token_that_has_come_meanwhile_is_used_without_a_renewal() {
    let (asked, mut is_asked) = mpsc::unbounded_channel();
    let go_on = Arc::new(Notify::new());
    let gate = Arc::clone(&go_on);
    let provider = Provider::start(move |mut peer| {
        let (asked, gate) = (asked.clone(), Arc::clone(&gate));
        async move {
            while let Some(head) = peer.head().await {
                if is_good(&head, "t8") {
                    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                        .await;
                } else {
                    asked.send(()).unwrap();
                    gate.notified().await;
                    peer.send(refused("401 Unauthorized")).await;
                }
            }
        }
    })
    .await;
    let rig = rig(&provider, "t7", 7);
    let told = renewing(&rig.handle);
    let mut caller = rig.caller().await;
    let call = tokio::spawn(async move { caller.get("/api/a").await.status() });
    is_asked.recv().await.unwrap();
    give(&rig.handle, "t8", 8);
    go_on.notify_one();
    assert_eq!(call.await.unwrap(), 200);
    assert_eq!(told.load(Ordering::SeqCst), 0);
}

/// Neither an upload that goes on, nor one that is too large to be kept, nor a
/// head that is.
#[tokio::test]
async fn a_body_that_is_not_here_any_more_is_not_sent_again_and_nothing_waits() {
    let provider = Provider::start(|mut peer| async move {
        while let Some(head) = peer.head().await {
            if let Some(length) = field(&head, "content-length") {
                peer.bytes(length.parse().unwrap()).await;
            }
            peer.send(refused("401 Unauthorized")).await;
        }
    })
    .await;
    let rig = rig(&provider, "t7", 7);
    let _reader = rig.handle.refusals();
    let began = Instant::now();
    let mut streaming = rig.caller().await;
    streaming
        .send("POST /api/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n")
        .await;
    let answer = streaming.answer().await;
    assert_eq!((answer.status(), answer.text()), (401, "no such token"));
    let mut large = rig.caller().await;
    let length = 1024 * 1024 + 1;
    large
        .send(format!(
            "PUT /api/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{}",
            "x".repeat(length)
        ))
        .await;
    assert_eq!(large.answer().await.status(), 401);
    let mut long = rig.caller().await;
    let field = "x".repeat(16 * 1024);
    long.send(format!(
        "GET /api/a HTTP/1.1\r\nHost: localhost\r\nX-Long: {field}\r\n\r\n"
    ))
    .await;
    assert_eq!(long.answer().await.status(), 401);
    assert!(began.elapsed() < SOON);
    assert_eq!(provider.heads().len(), 3);
    assert_eq!(told(&rig.handle), Some(7));
}

#[tokio::test]
async fn where_no_other_token_comes_the_answer_is_passed_on_whole_and_the_next_one_at_once() {
    let provider = accepting("t9", "401 Unauthorized\r\nX-Reason: revoked").await;
    let rig = rig(&provider, "t7", 7);
    let _reader = rig.handle.refusals();
    let mut caller = rig.caller().await;
    let answer = caller.get("/api/a").await;
    assert_eq!((answer.status(), answer.text()), (401, "no such token"));
    assert_eq!(answer.field("x-reason"), Some("revoked"));
    let began = Instant::now();
    assert_eq!(caller.get("/api/a").await.status(), 401);
    assert!(began.elapsed() < SOON);
    assert_eq!(provider.heads().len(), 2);
}

#[tokio::test]
async fn nothing_waits_for_a_token_that_will_not_come() {
    for news in [
        TokenState::Held(Token::new(Secret::new("t7"), 8)),
        TokenState::Withheld(Withheld::UNKNOWN),
    ] {
        let provider = accepting("t9", "401 Unauthorized").await;
        let rig = rig(&provider, "t7", 7);
        let handle = rig.handle.clone();
        let mut refusals = handle.refusals();
        let answering = tokio::spawn(async move {
            refusals.changed().await;
            handle.apply_tokens(Tokens::from([("api".parse().unwrap(), news)]));
            refusals
        });
        let began = Instant::now();
        let answer = rig.caller().await.get("/api/a").await;
        assert_eq!(answer.text(), "no such token");
        assert!(began.elapsed() < SOON);
        answering.await.unwrap();
        assert_eq!(provider.heads().len(), 1);
    }
}

#[tokio::test]
async fn a_handshake_for_another_protocol_is_made_again() {
    let provider = Provider::start(|mut peer| async move {
        while let Some(head) = peer.head().await {
            if is_good(&head, "t8") {
                peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nwelcome")
                    .await;
            } else {
                peer.send(refused("401 Unauthorized")).await;
            }
        }
    })
    .await;
    let rig = rig(&provider, "t7", 7);
    renewing(&rig.handle);
    let mut caller = rig.caller().await;
    caller
        .send("GET /api/ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        .await;
    assert!(caller.head().await.starts_with("HTTP/1.1 101 "));
    assert_eq!(caller.bytes(7).await, b"welcome");
}

#[tokio::test]
async fn a_call_by_http2_is_made_again_on_the_same_connection() {
    let provider = http2::provider::start(|mut call| async move {
        let (body, _) = call.whole().await.unwrap();
        let good = call.parts.headers["authorization"] == "Bearer t8";
        let response = Response::builder().status(if good { 200 } else { 401 });
        let mut down = call.begin(response.body(()).unwrap());
        down.send_data(body.into(), true).unwrap();
    })
    .await;
    let rig = rig(&provider, "t7", 7);
    let told = renewing(&rig.handle);
    let mut caller = http2::caller::Caller::connect(rig.address).await;
    let answer = caller
        .post(request("POST", "/api/a"), "hello")
        .await
        .unwrap();
    assert_eq!((answer.status(), answer.text()), (200, "hello"));
    assert_eq!((provider.heads().len(), provider.connections()), (2, 1));
    assert_eq!(told.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_connection_that_is_closed_while_a_token_is_waited_for_is_not_used_again() {
    let (closed, mut is_closed) = mpsc::unbounded_channel();
    let provider = Provider::start(move |mut peer| {
        let closed = closed.clone();
        async move {
            let head = peer.head().await.unwrap();
            let body = whole_body(&mut peer, &head).await;
            if is_good(&head, "t8") {
                let head = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
                peer.send([head.as_bytes(), &body].concat()).await;
            } else {
                peer.send(refused("401 Unauthorized")).await;
            }
            peer.close().await;
            closed.send(()).unwrap();
        }
    })
    .await;
    let rig = rig(&provider, "t7", 7);
    let _reader = rig.handle.refusals();
    let mut caller = rig.caller().await;
    caller.send(HELLO).await;
    is_closed.recv().await.unwrap();
    give(&rig.handle, "t8", 8);
    let answer = caller.answer().await;
    assert_eq!((answer.status(), answer.text()), (200, "hello"));
    assert_eq!(provider.connections(), 2);
}
