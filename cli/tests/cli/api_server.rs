//! As much of a Kubernetes API server as `call` and `token` ask for: objects by
//! path, and a pod whose port leads to a proxy of this machine.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

/// The server's end of a forwarded port (channel 0 its bytes, 1 its errors).
const PROTOCOL: &str = "v4.channel.k8s.io";

pub(crate) struct ApiServer {
    address: SocketAddr,
}

impl ApiServer {
    /// Serves until the test's process ends: these objects, and the port of any
    /// pod, or why it cannot be reached.
    pub(crate) fn start(
        objects: BTreeMap<&'static str, Value>,
        pod: Result<SocketAddr, &'static str>,
    ) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                let listener = TcpListener::from_std(listener).unwrap();
                let objects = Arc::new(objects);
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, Arc::clone(&objects), pod));
                }
            });
        });
        Self { address }
    }

    /// How it is reached.
    pub(crate) fn kubeconfig(&self) -> String {
        let address = self.address;
        json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "a",
            "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a", "namespace": "shop"}}],
            "clusters": [{"name": "a", "cluster": {"server": format!("http://{address}")}}],
            "users": [{"name": "a", "user": {}}],
        })
        .to_string()
    }
}

async fn serve(
    mut stream: TcpStream,
    objects: Arc<BTreeMap<&'static str, Value>>,
    pod: Result<SocketAddr, &'static str>,
) {
    let mut head = [0; 8192];
    let mut seen = 0;
    while !head[..seen].windows(4).any(|end| end == b"\r\n\r\n") {
        seen = stream.peek(&mut head).await.unwrap();
        if seen == 0 {
            return;
        }
    }
    let text = String::from_utf8_lossy(&head[..seen]).into_owned();
    let target = text.split(' ').nth(1).unwrap();
    let path = target.split('?').next().unwrap();
    if path.ends_with("/portforward") {
        return forward(stream, pod).await;
    }
    let (status, body) = match objects.get(path) {
        Some(object) => (200, object.to_string()),
        None => {
            let status = json!({
                "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404,
                "reason": "NotFound", "message": "not found",
            });
            (404, status.to_string())
        }
    };
    stream.read_exact(&mut head[..seen]).await.unwrap();
    let answer = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(answer.as_bytes()).await.unwrap();
}

#[allow(clippy::result_large_err, reason = "the signature of the callback")]
async fn forward(stream: TcpStream, pod: Result<SocketAddr, &'static str>) {
    let accepted = accept_hdr_async(stream, |_: &Request, mut response: Response| {
        let name = "sec-websocket-protocol";
        response
            .headers_mut()
            .insert(name, PROTOCOL.parse().unwrap());
        Ok(response)
    });
    let mut socket = accepted.await.unwrap();
    let [low, high] = 2733_u16.to_le_bytes();
    for channel in [0, 1] {
        let begun = Message::binary(vec![channel, low, high]);
        socket.send(begun).await.unwrap();
    }
    let address = match pod {
        Ok(address) => address,
        Err(reason) => {
            let told = [&[1], reason.as_bytes()].concat();
            socket.send(Message::binary(told)).await.unwrap();
            // What was not read when a connection is closed would end it for the
            // other side before this is read there.
            while let Some(Ok(_)) = socket.next().await {}
            return;
        }
    };
    let mut proxy = TcpStream::connect(address).await.unwrap();
    let mut bytes = [0; 4096];
    loop {
        tokio::select! {
            read = proxy.read(&mut bytes) => match read.unwrap() {
                0 => {
                    _ = socket.close(None).await;
                    return;
                }
                read => {
                    let frame = [&[0], &bytes[..read]].concat();
                    if socket.send(Message::binary(frame)).await.is_err() {
                        return;
                    }
                }
            },
            message = socket.next() => match message {
                Some(Ok(Message::Binary(frame))) if frame.first() == Some(&0) => {
                    proxy.write_all(&frame[1..]).await.unwrap();
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            },
        }
    }
}
