//! Endpoints behind TLS.

use std::convert::Infallible;

use credence_core::bundle::ClientCertificate;
use http::{Request, Response};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{Certificate, CertificateParams, KeyPair};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::*;

/// An endpoint on a port of localhost, until it is dropped.
struct Secured {
    port: u16,
    authority: String,
    _serving: JoinSet<()>,
}

impl Secured {
    /// One that speaks these protocols, and answers with version and host.
    async fn speaking(alpn: &[&[u8]]) -> Self {
        Self::asking_of(None, alpn).await
    }

    /// One that wants a certificate of this authority.
    async fn asking_of(authority: Option<&Certificate>, alpn: &[&[u8]]) -> Self {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = match authority {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(authority.der().clone()).unwrap();
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let mut config = builder
            .with_single_cert(
                vec![certificate.der().clone()],
                rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(acceptor.clone(), stream));
            }
        });
        Self {
            port,
            authority: certificate.pem(),
            _serving: serving,
        }
    }

    fn order(&self) -> Order {
        Order {
            trust: Some(self.authority.as_str().into()),
            allow_insecure_http: false,
            ..order(&format!("https://localhost:{}/token", self.port))
        }
    }
}

async fn serve(acceptor: TlsAcceptor, stream: tokio::net::TcpStream) {
    let stream = match acceptor.accept(stream).into_fallible().await {
        Ok(stream) => stream,
        Err((_, mut stream)) => {
            // So that a reset does not overtake the alert.
            let _ = stream.read_to_end(&mut Vec::new()).await;
            return;
        }
    };
    let is_h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let service = service_fn(|request: Request<Incoming>| async move {
        let version = request.version();
        let host = request
            .headers()
            .get("host")
            .map(|host| host.to_str().unwrap());
        let host = host.or_else(|| request.uri().authority().map(|host| host.as_str()));
        let host = host.unwrap_or_default().to_owned();
        let path = request.uri().path().to_owned();
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let body = String::from_utf8(body.to_vec()).unwrap();
        let text = format!("{version:?} {host} {path} {body}");
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(text))))
    });
    let stream = TokioIo::new(stream);
    if is_h2 {
        let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        let _ = builder.serve_connection(stream, service).await;
    } else {
        let builder = hyper::server::conn::http1::Builder::new();
        let _ = builder.serve_connection(stream, service).await;
    }
}

#[tokio::test]
async fn both_versions_of_http_are_spoken_over_tls() {
    for (alpn, version) in [
        (&[b"h2".as_slice(), b"http/1.1"][..], "HTTP/2.0"),
        (&[b"http/1.1".as_slice()][..], "HTTP/1.1"),
        (&[][..], "HTTP/1.1"),
    ] {
        let endpoint = Secured::speaking(alpn).await;
        let answer = asked(&exchange(), &endpoint.order()).await.unwrap();
        let expected = format!(
            "{version} localhost:{} /token grant_type=client_credentials",
            endpoint.port
        );
        assert_eq!(String::from_utf8_lossy(&answer.body), expected);
    }
}

#[tokio::test]
async fn nothing_is_sent_to_whom_nobody_vouches_for() {
    let endpoint = Secured::speaking(&[]).await;
    let order = Order {
        trust: None,
        ..endpoint.order()
    };
    let error = asked(&exchange(), &order).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the token endpoint cannot be trusted or spoken to: its certificate is not signed by a \
         trusted authority"
    );
    assert!(matches!(Unanswered::from(error), Unanswered::NotSent(_)));
}

#[tokio::test]
async fn a_reset_within_the_handshake_leaves_no_doubt() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        // Something of the greeting is here, so the connection stands.
        stream.read_exact(&mut [0]).await.unwrap();
        stream.set_zero_linger().unwrap();
    });
    let order = order(&format!("https://127.0.0.1:{port}/"));
    let error = asked(&exchange(), &order).await.unwrap_err();
    assert!(matches!(
        error,
        ExchangeError::NotSent(NotSent::Handshake(_))
    ));
    assert!(matches!(Unanswered::from(error), Unanswered::NotSent(_)));
}

/// RFC 8705 §2.
#[tokio::test]
async fn a_client_certificate_is_shown_and_its_refusal_leaves_no_doubt() {
    let shown = |key: &KeyPair| {
        let params = CertificateParams::new(vec!["client.test".to_owned()]).unwrap();
        let certificate = params.self_signed(key).unwrap();
        let shown = ClientCertificate {
            chain: certificate.pem().into(),
            key: Secret::new(key.serialize_pem()),
        };
        (certificate, Arc::new(shown))
    };
    let (keys, strangers) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let (certificate, ours) = shown(&keys);
    let (_, anothers) = shown(&strangers);
    let endpoint = Secured::asking_of(Some(&certificate), &[b"http/1.1"]).await;
    let order = |client_certificate| Order {
        client_certificate,
        ..endpoint.order()
    };
    let answer = asked(&exchange(), &order(Some(ours))).await.unwrap();
    assert_eq!(answer.status, 200);
    for refused in [None, Some(anothers)] {
        let error = asked(&exchange(), &order(refused)).await.unwrap_err();
        assert!(
            matches!(
                error,
                ExchangeError::NotSent(NotSent::ClientCertificate | NotSent::Handshake(_))
            ),
            "{error:?}"
        );
        assert!(matches!(Unanswered::from(error), Unanswered::NotSent(_)));
    }
}
