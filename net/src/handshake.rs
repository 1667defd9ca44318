//! Completing a TLS handshake.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{AlertDescription, CertificateError, ClientConfig};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Why there is no TLS session. The texts are ours: a peer's certificate and
/// its alerts are not quoted.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// The host cannot be asked for: neither a DNS name nor an address.
    #[error("its host is not a name that a certificate could carry")]
    Name,
    /// The certificate is not, or no longer, good for this host.
    #[error("its certificate {0}")]
    Certificate(CertificateFault),
    /// It does not accept our certificate, or wants one and there is none.
    #[error("it does not accept the client certificate, or wants one that is not configured")]
    ClientCertificate,
    /// No common version or suite, or the peer broke the protocol or refused.
    #[error("it speaks no TLS that is accepted here, or refused the handshake")]
    Protocol(#[source] Box<rustls::Error>),
    /// The connection broke during the handshake.
    #[error("it closed the connection during the TLS handshake")]
    Broken(#[source] io::Error),
    /// The handshake took longer than allowed.
    #[error("no TLS session within {:.1} s", .0.as_secs_f32())]
    TimedOut(Duration),
}

/// What is wrong with a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateFault {
    /// Not signed by an authority that is trusted here.
    #[error("is not signed by a trusted authority")]
    UnknownIssuer,
    /// After its notAfter.
    #[error("has expired")]
    Expired,
    /// Before its notBefore.
    #[error("is not valid yet")]
    NotValidYet,
    /// For another host.
    #[error("is for another host")]
    WrongHost,
    /// Anything else.
    #[error("is not acceptable")]
    Unacceptable,
}

/// Completes the client's side of a handshake with `host`, which is also the
/// name that the certificate must carry.
///
/// # Errors
/// [`HandshakeError`].
pub async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
    config: &Arc<ClientConfig>,
    host: &str,
    stream: S,
    timeout: Duration,
) -> Result<TlsStream<S>, HandshakeError> {
    let name = ServerName::try_from(host)
        .map_err(|_| HandshakeError::Name)?
        .to_owned();
    let connecting = TlsConnector::from(Arc::clone(config)).connect(name, stream);
    match tokio::time::timeout(timeout, connecting).await {
        Ok(done) => {
            let shown = config.client_auth_cert_resolver.has_certs();
            done.map_err(|error| HandshakeError::from_io(error, shown))
        }
        Err(_) => Err(HandshakeError::TimedOut(timeout)),
    }
}

impl HandshakeError {
    /// tokio-rustls wraps the session's errors into the transport's. `shown`
    /// says whether there is a certificate of ours.
    fn from_io(error: io::Error, shown: bool) -> Self {
        if refuses_client_certificate(&error) {
            return Self::ClientCertificate;
        }
        match error.downcast::<rustls::Error>() {
            Ok(rustls::Error::InvalidCertificate(why)) => Self::Certificate(fault(&why)),
            // Before TLS 1.3 most servers have no better word for it.
            Ok(rustls::Error::AlertReceived(AlertDescription::HandshakeFailure)) if shown => {
                Self::ClientCertificate
            }
            Ok(error) => Self::Protocol(Box::new(error)),
            Err(error) => Self::Broken(error),
        }
    }
}

/// Whether an error, of a handshake or of reading after one, is that the peer
/// does not accept our certificate. A client of TLS 1.3 has finished its
/// handshake before the server has seen the certificate, and hears of it only
/// when it reads (RFC 8446 §4.4.2).
pub fn refuses_client_certificate(error: &io::Error) -> bool {
    let mut cause: Option<&(dyn Error + 'static)> = error.get_ref().map(|inner| inner as _);
    while let Some(error) = cause {
        if let Some(rustls::Error::AlertReceived(alert)) = error.downcast_ref() {
            return is_about_certificates(*alert);
        }
        cause = match error.downcast_ref::<io::Error>() {
            // The source of a wrapped error is not the error that it wraps.
            Some(wrapped) => wrapped.get_ref().map(|inner| inner as _),
            None => error.source(),
        };
    }
    false
}

/// Alerts that a server sends about a client's certificate (RFC 8446 §6.2).
fn is_about_certificates(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::CertificateRequired
            | AlertDescription::NoCertificate
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            // Signed by another authority of the same name.
            | AlertDescription::DecryptError
    )
}

fn fault(error: &CertificateError) -> CertificateFault {
    match error {
        CertificateError::UnknownIssuer => CertificateFault::UnknownIssuer,
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            CertificateFault::Expired
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            CertificateFault::NotValidYet
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            CertificateFault::WrongHost
        }
        _ => CertificateFault::Unacceptable,
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};
    use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
    use rustls::{ServerConfig, SupportedProtocolVersion, version};
    use tokio::io::DuplexStream;
    use tokio_rustls::TlsAcceptor;

    use super::*;
    use crate::tls;

    const TIMEOUT: Duration = Duration::from_secs(10);

    struct Server {
        root: String,
        config: Arc<ServerConfig>,
    }

    /// A server whose certificate is its own root.
    fn server(
        versions: &[&'static SupportedProtocolVersion],
        change: impl FnOnce(&mut CertificateParams),
    ) -> Server {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
        change(&mut params);
        let certificate = params.self_signed(&key).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        Server {
            root: certificate.pem(),
            config: Arc::new(config),
        }
    }

    async fn with(
        server: &Server,
        config: &Arc<ClientConfig>,
        host: &str,
    ) -> Result<TlsStream<DuplexStream>, HandshakeError> {
        let (near, far) = tokio::io::duplex(16 * 1024);
        let accept = TlsAcceptor::from(Arc::clone(&server.config)).accept(far);
        // The server's own result is of no interest: it may be an alert.
        tokio::join!(handshake(config, host, near, TIMEOUT), accept).0
    }

    fn why(error: HandshakeError) -> CertificateFault {
        match error {
            HandshakeError::Certificate(fault) => fault,
            other => panic!("not about the certificate: {other}"),
        }
    }

    #[tokio::test]
    async fn an_extra_root_is_trusted_in_either_version() {
        for version in [&version::TLS12, &version::TLS13] {
            let server = server(&[version], |_| {});
            let config = tls::client_config(Some(&server.root), None, &[b"http/1.1"]).unwrap();
            let stream = with(&server, &config, "a.test").await.unwrap();
            let session = stream.get_ref().1;
            assert_eq!(session.protocol_version(), Some(version.version));
        }
    }

    #[tokio::test]
    async fn without_its_root_a_certificate_is_not_trusted() {
        let server = server(rustls::ALL_VERSIONS, |_| {});
        let config = tls::client_config(None, None, &[]).unwrap();
        let error = with(&server, &config, "a.test").await.unwrap_err();
        assert_eq!(why(error), CertificateFault::UnknownIssuer);
    }

    #[tokio::test]
    async fn a_certificate_for_another_host_is_refused() {
        let server = server(rustls::ALL_VERSIONS, |_| {});
        let config = tls::client_config(Some(&server.root), None, &[]).unwrap();
        for host in ["b.test", "127.0.0.1", "::1"] {
            let error = with(&server, &config, host).await.unwrap_err();
            assert_eq!(why(error), CertificateFault::WrongHost, "{host}");
        }
    }

    #[tokio::test]
    async fn a_certificate_out_of_its_time_is_refused() {
        let old = server(rustls::ALL_VERSIONS, |params| {
            params.not_after = date_time_ymd(2001, 1, 1);
        });
        let early = server(rustls::ALL_VERSIONS, |params| {
            params.not_before = date_time_ymd(4000, 1, 1);
        });
        for (server, expected) in [
            (old, CertificateFault::Expired),
            (early, CertificateFault::NotValidYet),
        ] {
            let config = tls::client_config(Some(&server.root), None, &[]).unwrap();
            let error = with(&server, &config, "a.test").await.unwrap_err();
            assert_eq!(why(error), expected);
        }
    }

    #[tokio::test]
    async fn our_own_servers_must_speak_tls_1_3_below_the_root_given() {
        let modern = server(&[&version::TLS13], |_| {});
        let config = tls::private_config(&modern.root, &[b"h2"]).unwrap();
        assert!(with(&modern, &config, "a.test").await.is_ok());
        let dated = server(&[&version::TLS12], |_| {});
        let config = tls::private_config(&dated.root, &[b"h2"]).unwrap();
        let error = with(&dated, &config, "a.test").await.unwrap_err();
        assert!(matches!(error, HandshakeError::Protocol(_)), "{error}");
    }

    #[tokio::test]
    async fn a_host_that_no_certificate_can_name_is_refused() {
        let config = tls::client_config(None, None, &[]).unwrap();
        let (near, _far) = tokio::io::duplex(1024);
        let error = handshake(&config, "a b", near, TIMEOUT).await.unwrap_err();
        assert!(matches!(error, HandshakeError::Name));
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_says_nothing_is_given_up() {
        let config = tls::client_config(None, None, &[]).unwrap();
        let (near, far) = tokio::io::duplex(16 * 1024);
        let error = handshake(&config, "a.test", near, TIMEOUT)
            .await
            .unwrap_err();
        assert!(matches!(error, HandshakeError::TimedOut(_)), "{error}");
        drop(far);
    }

    #[tokio::test]
    async fn a_peer_that_hangs_up_is_no_certificate_problem() {
        let config = tls::client_config(None, None, &[]).unwrap();
        let (near, far) = tokio::io::duplex(16 * 1024);
        drop(far);
        let error = handshake(&config, "a.test", near, TIMEOUT)
            .await
            .unwrap_err();
        assert!(matches!(error, HandshakeError::Broken(_)), "{error}");
    }
}
