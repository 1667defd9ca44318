//! Who we are to a provider: a client certificate, or nobody in particular
//! where there is no TLS.

use std::sync::Arc;

use credence_core::Secret;
use credence_core::bundle::{ClientCertificate, Route};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;
use rustls::version::{TLS12, TLS13};

use crate::provider::{Peer, Provider, configured};
use crate::rig::{KEY, Rig, changed};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// An authority that signs client certificates.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn certificate(&self) -> Arc<ClientCertificate> {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["client.test".to_owned()]).unwrap();
        let leaf = params.signed_by(&key, &self.0).unwrap();
        Arc::new(ClientCertificate {
            chain: leaf.pem().into(),
            key: Secret::new(key.serialize_pem()),
        })
    }

    /// A provider that admits those whom this authority signed.
    async fn provider(
        &self,
        version: &'static rustls::SupportedProtocolVersion,
        alpn: &[&[u8]],
    ) -> Provider {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        let crypto = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let clients = WebPkiClientVerifier::builder_with_provider(roots.into(), crypto)
            .build()
            .unwrap();
        let (config, roots) = configured(&[version], alpn, clients);
        Provider::secured(config, roots, |stream, heads| async move {
            let mut peer = Peer::new(stream, heads);
            while peer.head().await.is_some() {
                peer.send(OK).await;
            }
        })
        .await
    }
}

fn shown(certificate: &Arc<ClientCertificate>) -> impl FnOnce(&mut Route) {
    let certificate = Arc::clone(certificate);
    move |route| route.client_certificate = Some(certificate)
}

#[tokio::test]
async fn a_certificate_is_shown_beside_the_other_credential() {
    let authority = Authority::new();
    for version in [&TLS12, &TLS13] {
        let provider = authority.provider(version, &[]).await;
        let rig = Rig::whose(&provider, shown(&authority.certificate()));
        assert_eq!(rig.caller().await.get("/api/").await.text(), "ok");
        assert!(provider.head().contains(KEY));
    }
}

#[tokio::test]
async fn a_certificate_that_the_provider_refuses_is_told_from_other_failures() {
    let authority = Authority::new();
    let stranger = Authority::new().certificate();
    // With HTTP/2 chosen the refusal is heard while its settings are awaited.
    for (version, alpn) in [
        (&TLS12, &[][..]),
        (&TLS13, &[][..]),
        (&TLS13, &[&b"h2"[..]][..]),
    ] {
        let provider = authority.provider(version, alpn).await;
        for change in [Some(&stranger), None] {
            let rig = Rig::whose(&provider, |route| {
                route.client_certificate = change.map(Arc::clone);
            });
            let answer = rig.caller().await.get("/api/").await;
            let which = (version.version, alpn, change.is_some());
            let expected = (502, Some("client-certificate-rejected"));
            assert_eq!((answer.status(), answer.slug()), expected, "{which:?}");
        }
        assert_eq!(provider.heads(), [""; 0]);
    }
}

#[tokio::test]
async fn a_rotated_certificate_gets_connections_of_its_own() {
    let authority = Authority::new();
    let provider = authority.provider(&TLS13, &[]).await;
    let rig = Rig::whose(&provider, shown(&authority.certificate()));
    let mut caller = rig.caller().await;
    for _ in 0..2 {
        assert_eq!(caller.get("/api/").await.text(), "ok");
    }
    assert_eq!(provider.connections(), 1);
    let rotated = authority.certificate();
    rig.apply([("api", changed(&provider, shown(&rotated)))]);
    assert_eq!(caller.get("/api/").await.text(), "ok");
    assert_eq!(provider.connections(), 2);
    let open = "\ncredence_upstream_connections 1\n";
    assert!(rig.handle.metrics().render().contains(open));
}

#[tokio::test]
async fn a_certificate_without_its_key_is_refused_with_the_bundle() {
    let authority = Authority::new();
    let provider = authority.provider(&TLS13, &[]).await;
    let rig = Rig::with(&provider);
    let mixed = Arc::new(ClientCertificate {
        chain: Arc::clone(&authority.certificate().chain),
        key: authority.certificate().key.clone(),
    });
    let refused = rig.apply([("api", changed(&provider, shown(&mixed)))]);
    assert!(refused["api"].contains("private key"), "{}", refused["api"]);
    assert_eq!(
        rig.caller().await.get("/api/").await.slug(),
        Some("unsupported")
    );
}

#[tokio::test]
async fn an_api_without_tls_is_called_in_plain() {
    let provider = Provider::plain(|mut peer| async move {
        while let Some(head) = peer.head().await {
            let host = crate::provider::field(&head, "host").unwrap();
            let location = format!("http://{host}/v1/next");
            peer.send(format!(
                "HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 2\r\n\r\nok"
            ))
            .await;
        }
    })
    .await;
    let rig = Rig::whose(&provider, |route| route.trust = None);
    let mut caller = rig.caller().await;
    for _ in 0..2 {
        let answer = caller.get("/api/").await;
        assert_eq!((answer.status(), answer.text()), (302, "ok"));
        assert_eq!(answer.field("location"), Some("http://localhost/api/next"));
    }
    assert_eq!(provider.connections(), 1);
    assert!(provider.heads()[0].contains(KEY));
}
