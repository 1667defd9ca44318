//! How much memory the proxy takes for what nobody reads, in a process of its
//! own: what other tests hold at the same time would be counted with it.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]
#![expect(dead_code, reason = "not all that the other tests need is needed here")]

#[path = "proxy/caller.rs"]
mod caller;
#[path = "proxy/provider.rs"]
mod provider;
#[path = "proxy/rig.rs"]
mod rig;

use std::time::Duration;

use bytes::Bytes;
use h2::SendStream;
use http::{Request, Response};
use provider::Provider;
use rig::Rig;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

const CALLS: usize = 400;

/// More than that is too much, with both ends of this test: the proxy's
/// container has 64 MiB.
const MOST: usize = 40 * 1024 * 1024;

/// Nothing moves any more when nothing has moved for so long.
const STUCK: Duration = Duration::from_millis(500);

/// What this process has in memory, in bytes.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    let kibibytes: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kibibytes * 1024
}

/// Sends for as long as somebody takes it, and says how much that is.
async fn send(mut stream: SendStream<Bytes>, piece: Bytes, sent: UnboundedSender<usize>) {
    loop {
        stream.reserve_capacity(piece.len());
        let room = std::future::poll_fn(|cx| stream.poll_capacity(cx)).await;
        let Some(Ok(room)) = room else { return };
        let room = room.min(piece.len());
        if stream.send_data(piece.slice(..room), false).is_err() || sent.send(room).is_err() {
            return;
        }
    }
}

/// How many bytes are sent until no more are.
async fn until_stuck(sent: &mut UnboundedReceiver<usize>) -> usize {
    let mut all = 0;
    while let Ok(Some(more)) = tokio::time::timeout(STUCK, sent.recv()).await {
        all += more;
    }
    all
}

/// Calls on this connection whose bodies do not end.
async fn upload(
    stream: TcpStream,
    calls: usize,
    piece: &Bytes,
    sent: &UnboundedSender<usize>,
) -> JoinSet<()> {
    let (mut calling, connection) = h2::client::handshake(stream).await.unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { connection.await.unwrap_or_default() });
    for _ in 0..calls {
        calling = calling.ready().await.unwrap();
        let request = Request::post("http://localhost/api/").body(()).unwrap();
        let (response, body) = calling.send_request(request, false).unwrap();
        let sending = send(body, piece.clone(), sent.clone());
        tasks.spawn(async move {
            tokio::join!(sending, response)
                .1
                .map(drop)
                .unwrap_or_default();
        });
    }
    tasks
}

#[tokio::test]
async fn what_nobody_reads_takes_no_more_memory_than_there_is() {
    let piece = Bytes::from(vec![b'x'; 16 * 1024]);
    let (sent, mut provided) = unbounded_channel();
    let body = piece.clone();
    let provider = Provider::accept(&[b"h2"], move |stream, _| {
        let (sent, piece) = (sent.clone(), body.clone());
        async move {
            let mut settings = h2::server::Builder::new();
            // So that it is not this provider that keeps what it does not read.
            settings.initial_window_size(1024);
            let mut connection = settings.handshake(stream).await.unwrap();
            while let Some(Ok((request, mut respond))) = connection.accept().await {
                let (sent, piece) = (sent.clone(), piece.clone());
                tokio::spawn(async move {
                    if request.method() == "GET" {
                        let down = respond.send_response(Response::new(()), false).unwrap();
                        send(down, piece, sent).await;
                    } else {
                        std::future::poll_fn(|cx| respond.poll_reset(cx))
                            .await
                            .map(drop)
                            .unwrap_or_default();
                    }
                });
            }
        }
    })
    .await;
    let rig = Rig::with(&provider);
    let before = resident();

    let mut callers = Vec::new();
    for _ in 0..CALLS {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let mut caller = socket.connect(rig.address).await.unwrap();
        caller
            .write_all(b"GET /api/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .await
            .unwrap();
        callers.push(caller);
    }
    let down = until_stuck(&mut provided).await;
    let grown = resident().saturating_sub(before);
    println!("{CALLS} downloads: {down} bytes sent, grown by {grown}");
    assert!(down > CALLS * piece.len(), "{down} bytes were sent");
    assert!(grown < MOST, "grown by {grown} bytes");
    drop(callers);

    for connections in [4, 40] {
        let (sent, mut uploaded) = unbounded_channel();
        let mut calls = Vec::new();
        for _ in 0..connections {
            let stream = TcpStream::connect(rig.address).await.unwrap();
            calls.push(upload(stream, CALLS / connections, &piece, &sent).await);
        }
        let up = until_stuck(&mut uploaded).await;
        let grown = resident().saturating_sub(before);
        println!("{CALLS} uploads on {connections} connections: {up} bytes sent, grown by {grown}");
        assert!(up > connections * piece.len(), "{up} bytes were sent");
        assert!(grown < MOST, "grown by {grown} bytes");
    }
}
