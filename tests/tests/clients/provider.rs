//! A provider: an HTTPS server that wants one credential, exactly once, and
//! nothing that came from the app's own.

mod answers;
mod misbehaviour;

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use credence_tests::pki::Authority;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

use crate::manifests::KEY;

pub(crate) use answers::{PIECE, hex, pattern};

/// A running provider; it ends when this is dropped.
pub(crate) struct Provider {
    pub(crate) address: SocketAddr,
    /// The PEM root that its certificate chains to.
    pub(crate) authority: String,
    pub(crate) state: Arc<State>,
    _runtime: Runtime,
}

/// What its connections share.
#[derive(Default)]
pub(crate) struct State {
    /// The keys that are good, the newest last.
    keys: Mutex<Vec<String>>,
    connections: AtomicU64,
    requests: AtomicU64,
    refused: AtomicU64,
    /// Wakes a stream that waits until its beginning has been read.
    heard: Notify,
}

/// What it speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    /// HTTP/1.1 only.
    Http1,
    /// HTTP/2, and HTTP/1.1 with whoever does not.
    Http2,
    /// HTTP/1.1, badly.
    Misbehaviour,
}

impl Provider {
    /// One that wants [`KEY`].
    pub(crate) fn start(offer: Offer) -> Result<Self> {
        let authority = Authority::new("the provider's authority")?;
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let identity = authority.server("provider", &["localhost"], &[loopback])?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let chain = CertificateDer::from_pem_slice(identity.certificate.as_bytes())?;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(
                vec![chain],
                PrivateKeyDer::from_pem_slice(identity.key.as_bytes())?,
            )?;
        config.alpn_protocols = match offer {
            Offer::Http1 | Offer::Misbehaviour => vec![b"http/1.1".to_vec()],
            Offer::Http2 => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let state = Arc::new(State::default());
        state.accept_key(KEY);
        let listener = runtime.block_on(TcpListener::bind((loopback, 0)))?;
        let address = listener.local_addr()?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        runtime.spawn(serve(listener, acceptor, offer, Arc::clone(&state)));
        Ok(Self {
            address,
            authority: authority.certificate().to_owned(),
            state,
            _runtime: runtime,
        })
    }

    pub(crate) fn base_url(&self) -> String {
        format!("https://{}/v1", self.address)
    }
}

impl State {
    /// From now on this key is good, and the one before, and no other.
    pub(crate) fn accept_key(&self, key: &str) {
        let mut keys = self.keys();
        let last = keys.pop();
        keys.clear();
        keys.extend(last);
        keys.push(format!("Bearer {key}"));
    }

    /// Connections since the beginning.
    pub(crate) fn connections(&self) -> u64 {
        self.connections.load(Ordering::SeqCst)
    }

    /// Requests since the beginning.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::SeqCst)
    }

    /// Those of them that were refused.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::SeqCst)
    }

    fn keys(&self) -> MutexGuard<'_, Vec<String>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, offer: Offer, state: Arc<State>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let (acceptor, state) = (acceptor.clone(), Arc::clone(&state));
        tokio::spawn(async move {
            let number = state.connections.fetch_add(1, Ordering::SeqCst);
            // What breaks off is the client's to notice.
            let _ = converse(stream, &acceptor, offer, state, number).await;
        });
    }
}

async fn converse(
    stream: TcpStream,
    acceptor: &TlsAcceptor,
    offer: Offer,
    state: Arc<State>,
    number: u64,
) -> Result<()> {
    stream.set_nodelay(true)?;
    let stream = acceptor.accept(stream).await?;
    if offer == Offer::Misbehaviour {
        return misbehaviour::serve(stream).await;
    }
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        let service = service_fn(|request| {
            let state = Arc::clone(&state);
            async move { Ok::<_, Infallible>(answers::answer(request, &state, number).await) }
        });
        hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .serve_connection(TokioIo::new(stream), service)
            .await?;
        return Ok(());
    }
    let service = service_fn(|request| {
        let state = Arc::clone(&state);
        async move { Ok::<_, Infallible>(answers::answer(request, &state, number).await) }
    });
    hyper::server::conn::http1::Builder::new()
        .half_close(true)
        .serve_connection(TokioIo::new(stream), service)
        .await?;
    Ok(())
}
