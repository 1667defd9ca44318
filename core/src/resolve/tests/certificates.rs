//! Client certificates and private authorities.

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use rcgen::{CertificateParams, KeyPair, RsaKeySize, SignatureAlgorithm, date_time_ymd};

use super::*;
use crate::collection::TrustKind;
use crate::pem;

/// A certificate for 2026 and its key, as PEM.
pub(super) struct Identity {
    pub(super) certificate: String,
    pub(super) key: KeyPair,
}

impl Identity {
    pub(super) fn of(key: KeyPair) -> Self {
        let mut params = CertificateParams::new(vec!["client.test".to_owned()]).unwrap();
        params.not_before = date_time_ymd(2026, 1, 1);
        params.not_after = date_time_ymd(2027, 1, 1);
        let certificate = params.self_signed(&key).unwrap();
        Self {
            certificate: certificate.pem().replace('\r', ""),
            key,
        }
    }

    fn with(algorithm: &'static SignatureAlgorithm) -> Self {
        Self::of(KeyPair::generate_for(algorithm).unwrap())
    }

    pub(super) fn new() -> Self {
        Self::with(&rcgen::PKCS_ECDSA_P256_SHA256)
    }

    pub(super) fn key(&self) -> String {
        self.key.serialize_pem().replace('\r', "")
    }

    pub(super) fn secret(&self) -> SecretObject {
        tls_secret(&self.certificate, &self.key())
    }
}

pub(super) fn tls_secret(certificate: &str, key: &str) -> SecretObject {
    SecretObject {
        kind: "kubernetes.io/tls".to_owned(),
        ..secret(&[("tls.crt", certificate), ("tls.key", key)])
    }
}

/// With a client certificate in development as the whole credential.
pub(super) fn certified() -> Collection {
    Collection {
        method: Method::ClientCertificate,
        development: Some(Settings {
            tls_secret: Some("client".to_owned()),
            ..Settings::default()
        }),
        ..openai()
    }
}

pub(super) fn holding(object: SecretObject) -> Material {
    let mut material = material();
    material.secrets.insert("client".to_owned(), object);
    material
}

fn shown_certificate(object: SecretObject) -> Result<(String, String), Reason> {
    let resolved = in_development(&certified(), &holding(object));
    let route = resolved.map_err(|unresolved| unresolved.reason)?.route;
    let shown = route.client_certificate.unwrap();
    Ok((shown.chain.to_string(), shown.key.expose().to_owned()))
}

pub(super) fn trusting(kind: TrustKind) -> Settings {
    Settings {
        trust: Some(TrustRef {
            kind,
            name: "ca".to_owned(),
            key: "ca.crt".to_owned(),
        }),
        ..settings("openai-dev")
    }
}

#[test]
fn certificates_are_asked_for_where_they_are() {
    for (kind, secrets, config_maps) in [
        (TrustKind::Secret, vec!["ca", "openai-dev"], vec![]),
        (TrustKind::ConfigMap, vec!["openai-dev"], vec!["ca"]),
    ] {
        let collection = with_development(trusting(kind));
        let needs = needs(&collection, Environment::Development);
        assert_eq!(Vec::from_iter(needs.secrets), secrets);
        assert_eq!(Vec::from_iter(needs.config_maps), config_maps);
    }
    let needs = |environment| needs(&certified(), environment).secrets;
    assert_eq!(Vec::from_iter(needs(Environment::Development)), ["client"]);
    assert!(needs(Environment::Live).is_empty());
}

#[test]
fn authorities_come_without_what_stands_beside_them() {
    let authority = Identity::new();
    let pem = format!("{}{}", authority.key(), authority.certificate);
    let mut material = material();
    material
        .secrets
        .insert("ca".to_owned(), secret(&[("ca.crt", &pem)]));
    let data = BTreeMap::from([("ca.crt".to_owned(), pem)]);
    material.config_maps.insert("ca".to_owned(), data);
    for kind in [TrustKind::Secret, TrustKind::ConfigMap] {
        let resolved = in_development(&with_development(trusting(kind)), &material).unwrap();
        assert_eq!(
            resolved.route.trust.as_deref(),
            Some(&*authority.certificate)
        );
    }
}

/// Requirement 65.
#[test]
fn every_common_kind_of_key_can_be_used() {
    let rsa = KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
    let ecdsa = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    // PKCS#8 wraps PKCS#1 in 26 bytes, at this size of key.
    let pkcs1 = pem::encode("RSA PRIVATE KEY", &rsa.serialize_der()[26..]);
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &ecdsa.serialize_der());
    let sec1: aws_lc_rs::encoding::EcPrivateKeyRfc5915Der<'_> =
        pair.unwrap().private_key().as_der().unwrap();
    let sec1 = pem::encode("EC PRIVATE KEY", sec1.as_ref());
    let parameters = pem::encode("EC PARAMETERS", &[0x06, 0x01, 0x00]);
    for (identity, key) in [
        (Identity::of(rsa), Some(pkcs1.to_string())),
        (
            Identity::of(ecdsa),
            Some(format!("{}{}", *parameters, *sec1)),
        ),
        (Identity::with(&rcgen::PKCS_ECDSA_P384_SHA384), None),
        (Identity::with(&rcgen::PKCS_ECDSA_P521_SHA512), None),
        (Identity::with(&rcgen::PKCS_ED25519), None),
    ] {
        let keys = [Some(identity.key()), key];
        for key in keys.into_iter().flatten() {
            let (chain, shown) =
                shown_certificate(tls_secret(&identity.certificate, &key)).unwrap();
            assert_eq!(chain, identity.certificate);
            assert!(key.ends_with(&shown), "{}", identity.certificate);
        }
    }
}

/// Requirement 64.
#[test]
fn spoiled_pem_is_repaired() {
    let identity = Identity::new();
    let good = (identity.certificate.clone(), identity.key());
    for spoil in [
        |text: &str| text.replace('\n', " "),
        |text: &str| text.replace('\n', "\\n"),
        |text: &str| text.replace('\n', "\r\n"),
        |text: &str| text.replace('\n', ""),
        |text: &str| format!("\"{}\"", text.trim_end().replace('\n', "\\n")),
        |text: &str| format!("subject=CN = x\n  {text}\n"),
    ] {
        let spoiled = tls_secret(&spoil(&good.0), &spoil(&good.1));
        assert_eq!(shown_certificate(spoiled), Ok(good.clone()));
    }
}

#[test]
fn the_certificate_of_the_key_comes_first() {
    let (own, issuer, root) = (Identity::new(), Identity::new(), Identity::new());
    let chain = |order: [&Identity; 3]| -> String {
        order.map(|identity| identity.certificate.as_str()).concat()
    };
    for given in [
        [&own, &issuer, &root],
        [&issuer, &own, &root],
        [&issuer, &root, &own],
    ] {
        let (shown, _) = shown_certificate(tls_secret(&chain(given), &own.key())).unwrap();
        assert_eq!(shown, chain([&own, &issuer, &root]));
    }
}

#[test]
fn a_certificate_can_stand_beside_every_other_method() {
    let identity = Identity::new();
    let collection = with_development(Settings {
        tls_secret: Some("client".to_owned()),
        ..settings("openai-dev")
    });
    let resolved = in_development(&collection, &holding(identity.secret())).unwrap();
    assert_eq!(resolved.route.headers.len(), 1);
    assert!(resolved.route.client_certificate.is_some());
    assert_eq!(resolved.secret.as_deref(), Some("openai-dev"));
}

#[test]
fn the_authority_beside_a_client_certificate_is_trusted_too() {
    let (identity, authority, other) = (Identity::new(), Identity::new(), Identity::new());
    let mut object = identity.secret();
    let pem = |text: &str| text.as_bytes().to_vec().into();
    object
        .data
        .insert("ca.crt".to_owned(), pem(&authority.certificate));
    let trust = |collection: &Collection, material: &Material| {
        let route = in_development(collection, material).unwrap().route;
        route.trust.map(|trust| trust.to_string())
    };
    let mut material = holding(object.clone());
    assert_eq!(
        trust(&certified(), &material).as_deref(),
        Some(&*authority.certificate)
    );

    let data = BTreeMap::from([("ca.crt".to_owned(), other.certificate.clone())]);
    material.config_maps.insert("ca".to_owned(), data);
    let both = with_development(Settings {
        tls_secret: Some("client".to_owned()),
        ..trusting(TrustKind::ConfigMap)
    });
    let expected = format!("{}{}", other.certificate, authority.certificate);
    assert_eq!(trust(&both, &material), Some(expected));

    object.data.insert("ca.crt".to_owned(), pem(""));
    assert_eq!(trust(&certified(), &holding(object)), None);
}

#[test]
fn the_end_of_a_certificate_is_told_in_time() {
    let material = holding(Identity::new().secret());
    let at = |time: &str| {
        let now: Timestamp = time.parse().unwrap();
        resolve(&certified(), Environment::Development, &material, now)
    };
    let (warned, end) = ("2026-12-02T00:00:00Z", "2027-01-01T00:00:00Z");
    let early = at("2026-12-01T23:59:59Z").unwrap();
    assert_eq!(early.warnings, []);
    assert_eq!(early.changes_at, Some(warned.parse().unwrap()));
    assert_eq!(early.certificate_not_after, Some(end.parse().unwrap()));
    assert_eq!(early.certificate_secret.as_deref(), Some("client"));

    let late = at(warned).unwrap();
    assert_eq!(late.changes_at, Some(end.parse().unwrap()));
    assert_eq!(
        late.warnings,
        [Warning {
            kind: WarningKind::CertificateExpiring,
            field: "spec.development.tlsSecretRef.name".to_owned(),
            message:
                "The client certificate in Secret \"client\" expires at 2027-01-01T00:00:00Z. \
                      Put a new one with its key into the Secret before that."
                    .to_owned(),
        }]
    );
    let over = at(end).unwrap_err();
    assert_eq!(over.reason, Reason::ClientCertificateExpired);
    assert_eq!(over.changes_at, None);

    let first = "2026-01-01T00:00:00Z";
    assert!(at(first).is_ok());
    let too_early = at("2025-12-31T23:59:59Z").unwrap_err();
    assert_eq!(too_early.reason, Reason::ClientCertificateNotYetValid);
    assert_eq!(too_early.changes_at, Some(first.parse().unwrap()));
}

/// Requirement 19.
#[test]
fn every_method_has_credentials_of_its_own_in_each_environment() {
    let (live, development) = (Identity::new(), Identity::new());
    let mut material = Material::default();
    for (block, identity) in [("live", &live), ("dev", &development)] {
        let keys = secret(&[("k", block), ("username", block), ("password", "p")]);
        let certificate = identity.secret();
        material.secrets.insert(format!("keys-{block}"), keys);
        material.secrets.insert(format!("tls-{block}"), certificate);
    }
    let block = |name: &str| {
        Some(Settings {
            secret: Some(format!("keys-{name}")),
            tls_secret: Some(format!("tls-{name}")),
            ..Settings::default()
        })
    };
    let name = || "n".to_owned();
    let placements = [
        Placement::Header(name()),
        Placement::Query(name()),
        Placement::Cookie(name()),
        Placement::Body(name()),
        Placement::Path,
    ];
    let mut methods = vec![
        basic("${secret.username}", "${secret.password}"),
        Method::ClientCertificate,
    ];
    methods.extend(placements.map(|placement| api_key(placement, "${secret.k}")));
    for method in methods {
        let collection = Collection {
            live: block("live"),
            development: block("dev"),
            ..with_method(method)
        };
        let route = |environment| {
            let resolved = resolve(&collection, environment, &material, now());
            resolved.unwrap().route
        };
        let (live, development) = (route(Environment::Live), route(Environment::Development));
        let method = collection.method.as_str();
        assert_ne!(live.client_certificate, development.client_certificate);
        if !matches!(collection.method, Method::ClientCertificate) {
            let bare = |route: Route| Route {
                client_certificate: None,
                ..route
            };
            assert_ne!(bare(live), bare(development), "{method}");
        }
    }
}
