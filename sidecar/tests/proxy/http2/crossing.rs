//! All four ways to cross, with hyper on both ends.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use credence_core::Secret;
use credence_core::bundle::OnConflict;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Either, Empty, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use crate::provider::{Provider, field};
use crate::rig::{KEY, Rig, placed};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Version {
    One,
    Two,
}

const CROSSINGS: [(Version, Version); 4] = [
    (Version::One, Version::One),
    (Version::One, Version::Two),
    (Version::Two, Version::One),
    (Version::Two, Version::Two),
];

/// Sends back what it gets: the body, and the fields as one.
async fn mirror(version: Version) -> Provider {
    let alpn: &[&[u8]] = match version {
        Version::One => &[b"http/1.1"],
        Version::Two => &[b"h2"],
    };
    Provider::accept(alpn, move |stream, heads| async move {
        let service = service_fn(move |request: Request<Incoming>| {
            let mut head = format!(
                "{} {} {:?}\r\n",
                request.method(),
                request.uri(),
                request.version()
            );
            for (name, value) in request.headers() {
                head += &format!("{name}: {}\r\n", value.to_str().unwrap());
            }
            heads.lock().unwrap().push(head);
            async { Ok::<_, Infallible>(reflect(request)) }
        });
        let io = TokioIo::new(stream);
        // A caller who goes away is no failure of this end.
        let _ = match version {
            Version::One => {
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(io, service)
                    .await
            }
            Version::Two => {
                hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                    .serve_connection(io, service)
                    .await
            }
        };
    })
    .await
}

fn reflect(request: Request<Incoming>) -> Response<Either<Incoming, Empty<Bytes>>> {
    let status = match request.uri().path() {
        "/v1/none" => 204,
        "/v1/same" => 304,
        _ => 200,
    };
    let length = request.headers().get("content-length").cloned();
    let to_head = request.method() == Method::HEAD;
    let mut response = Response::new(match status {
        200 if !to_head => Either::Left(request.into_body()),
        _ => Either::Right(Empty::new()),
    });
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap();
    if to_head {
        let length = "7".parse().unwrap();
        response.headers_mut().insert("content-length", length);
    } else if let Some(length) = length.filter(|_| status == 200) {
        response.headers_mut().insert("content-length", length);
    }
    response
}

async fn call(
    version: Version,
    address: SocketAddr,
    mut request: Request<Full<Bytes>>,
) -> Response<Incoming> {
    let io = TokioIo::new(TcpStream::connect(address).await.unwrap());
    match version {
        Version::One => {
            let host = "localhost".parse().unwrap();
            request.headers_mut().insert("host", host);
            let (mut send, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
            tokio::spawn(connection);
            send.send_request(request).await.unwrap()
        }
        Version::Two => {
            let path = request.uri().to_string();
            *request.uri_mut() = format!("http://localhost{path}").parse().unwrap();
            let executor = TokioExecutor::new();
            let (mut send, connection) = hyper::client::conn::http2::handshake(executor, io)
                .await
                .unwrap();
            tokio::spawn(connection);
            send.send_request(request).await.unwrap()
        }
    }
}

fn request(method: &str, path: &str, body: Bytes) -> Request<Full<Bytes>> {
    let request = Request::builder().method(method).uri(path);
    request.body(Full::new(body)).unwrap()
}

#[tokio::test]
async fn the_credential_crosses_and_the_callers_own_does_not() {
    for (from, to) in CROSSINGS {
        let provider = mirror(to).await;
        let rig = Rig::with(&provider);
        let mut get = request("GET", "/api/items?q=%20a", Bytes::new());
        for value in ["mine", "mine too"] {
            let value = value.parse().unwrap();
            get.headers_mut().append("authorization", value);
        }
        get.headers_mut().insert("x-a", "b".parse().unwrap());
        let response = call(from, rig.address, get).await;
        assert_eq!(response.status(), 200, "{from:?} {to:?}");
        let head = provider.head();
        let line = head.lines().next().unwrap();
        let expected = match to {
            Version::One => "GET /v1/items?q=%20a HTTP/1.1".to_owned(),
            Version::Two => {
                let authority = provider.authority();
                format!("GET https://{authority}/v1/items?q=%20a HTTP/2.0")
            }
        };
        assert_eq!(line, expected, "{from:?} {to:?}");
        assert_eq!(field(&head, "authorization"), Some(KEY));
        assert_eq!(head.matches("authorization").count(), 1, "{head}");
        assert_eq!(field(&head, "x-a"), Some("b"));
        let authority = (to == Version::One).then(|| provider.authority());
        assert_eq!(field(&head, "host"), authority.as_deref());
        assert!(!head.contains("mine"), "{head}");
    }
}

#[tokio::test]
async fn a_credential_in_path_query_cookie_and_body_crosses_too() {
    for (from, to) in CROSSINGS {
        let provider = mirror(to).await;
        let rig = Rig::whose(&provider, |route| {
            route.headers.clear();
            route.path = Some(Secret::new("/k-path"));
            route.query = vec![placed("key", "k-query", OnConflict::Replace)];
            route.cookies = vec![placed("session", "k-cookie", OnConflict::Replace)];
            route.body = vec![placed("api_key", "k-body", OnConflict::Replace)];
        });
        let body = Bytes::from_static(br#"{"a":1,"api_key":"mine"}"#);
        let mut post = request("POST", "/api/x?key=mine&b=2", body);
        for (name, value) in [
            ("content-type", "application/json"),
            ("cookie", "session=mine"),
            ("cookie", "theme=dark"),
        ] {
            post.headers_mut().append(name, value.parse().unwrap());
        }
        let response = call(from, rig.address, post).await;
        let returned = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(returned, &br#"{"a":1,"api_key":"k-body"}"#[..]);
        let head = provider.head();
        let target = "/v1/k-path/x?b=2&key=k-query ";
        assert!(head.lines().next().unwrap().contains(target), "{head}");
        assert!(head.contains("session=k-cookie") && head.contains("theme=dark"));
        assert!(!head.contains("mine"), "{head}");
        assert_eq!(field(&head, "content-length"), Some("26"));
    }
}

#[tokio::test]
async fn large_bodies_cross_both_ways_with_their_length() {
    let body: Vec<u8> = (0..8 * 1024 * 1024_u32)
        .map(|at| (at / 251 + at).to_le_bytes()[0])
        .collect();
    let body = Bytes::from(body);
    for (from, to) in CROSSINGS {
        let provider = mirror(to).await;
        let rig = Rig::with(&provider);
        let post = request("POST", "/api/", body.clone());
        let response = call(from, rig.address, post).await;
        let length = body.len().to_string();
        assert_eq!(response.headers()["content-length"], *length);
        let returned = response.into_body().collect().await.unwrap().to_bytes();
        assert!(returned == body, "{from:?} {to:?}");
        let head = provider.head();
        assert_eq!(field(&head, "content-length"), Some(&*length));
        assert_eq!(field(&head, "transfer-encoding"), None);
    }
}

#[tokio::test]
async fn answers_without_a_body_have_none_on_the_other_side() {
    for (from, to) in CROSSINGS {
        let provider = mirror(to).await;
        let rig = Rig::with(&provider);
        for (method, path, status, length) in [
            ("HEAD", "/api/", 200, Some("7")),
            ("GET", "/api/none", 204, None),
            ("GET", "/api/same", 304, None),
            ("GET", "/api/", 200, Some("0")),
            ("DELETE", "/api/", 200, Some("0")),
        ] {
            let request = request(method, path, Bytes::new());
            let response = call(from, rig.address, request).await;
            assert_eq!(response.status(), status, "{from:?} {to:?} {method}");
            let said = response.headers().get("content-length");
            let said = said.map(|length| length.to_str().unwrap());
            assert_eq!(said, length, "{from:?} {to:?} {method} {path}");
            let body = response.into_body().collect().await.unwrap();
            assert!(body.to_bytes().is_empty());
        }
    }
}

#[tokio::test]
async fn as_many_fields_as_a_caller_may_send_reach_a_provider_with_ours() {
    let provider = super::provider::start(|mut call| async move { call.answer("ok") }).await;
    let rig = Rig::with(&provider);
    let mut caller = rig.caller().await;
    let fields = "X-A: b\r\n".repeat(127);
    let head = format!("GET /api/ HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
    caller.send(head).await;
    assert_eq!(caller.answer().await.status(), 200);
    assert_eq!(provider.connections(), 1);
}
