//! Each example, called once in each environment, as an app calls it.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use credence_core::Environment;
use credence_core::bundle::{Bundle, Entry, Route, Token, TokenState};
use credence_core::collection::Collection;
use credence_core::resolve::{Material, SecretObject, resolve};
use credence_sidecar::{Egress, Proxy, ProxySettings};
use jiff::Timestamp;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use crate::demands::{CASES, Case, Demand};
use crate::grants::GRANTS;
use crate::judge::{Known, judge};
use crate::manifests::{collection, examples, providers, secrets};
use crate::obtain::obtain;
use crate::provider::{self, Arrived, Provider};
use crate::token_demands;

/// Far above what a call on this machine takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

const ENVIRONMENTS: [Environment; 2] = [Environment::Development, Environment::Live];

fn folder(case: &Case) -> PathBuf {
    examples().join(case.folder)
}

/// Values that no other key has, so that nothing is right by chance.
fn material(case: &Case) -> Material {
    let mut secrets = secrets(&folder(case));
    for (name, secret) in &mut secrets {
        for (key, value) in &mut secret.data {
            *value = format!("{name}.{key}").into_bytes().into();
        }
    }
    Material {
        secrets,
        accounts_in: Some("shop".to_owned()),
        ..Material::default()
    }
}

/// Whose client certificates the stand-ins trust.
pub(crate) fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Gives a case what cannot stand in a file that everybody reads.
fn certify(
    case: &Case,
    collection: &Collection,
    material: &mut Material,
    authority: &CertifiedIssuer<'static, KeyPair>,
) {
    for environment in ENVIRONMENTS {
        let settings = collection.selected(environment).settings;
        let Some(name) = &settings.tls_secret else {
            continue;
        };
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(Vec::new()).unwrap();
        let certificate = params.signed_by(&key, authority).unwrap();
        let data = [
            ("tls.crt", certificate.pem()),
            ("tls.key", key.serialize_pem()),
        ];
        let data = data.map(|(key, pem)| (key.to_owned(), pem.into_bytes().into()));
        let secret = SecretObject {
            kind: "kubernetes.io/tls".to_owned(),
            data: data.into(),
            ..SecretObject::default()
        };
        material.secrets.insert(name.clone(), secret);
    }
    let authorities = BTreeMap::from([("ca.crt".to_owned(), authority.pem())]);
    let name = format!("{}-sandbox-ca", case.folder);
    material.config_maps.insert(name, authorities);
}

/// The DER of a certificate in base64, which is what stands in its PEM.
fn der(pem: &str) -> String {
    pem.lines().filter(|line| !line.starts_with('-')).collect()
}

pub(crate) fn known(
    collection: &Collection,
    environment: Environment,
    material: &Material,
) -> Known {
    let settings = collection.selected(environment).settings;
    let values = settings.values.iter();
    let mut known: Known = values
        .map(|(name, value)| (format!("values.{name}"), value.clone()))
        .collect();
    let secret = settings
        .secret
        .as_ref()
        .and_then(|name| material.secrets.get(name));
    for (key, value) in secret.iter().flat_map(|secret| &secret.data) {
        let value = String::from_utf8(value.to_vec()).unwrap();
        known.insert(key.clone(), value);
    }
    let tls = settings.tls_secret.as_ref();
    if let Some(secret) = tls.and_then(|name| material.secrets.get(name)) {
        let pem = String::from_utf8(secret.data["tls.crt"].to_vec()).unwrap();
        known.insert("certificate".to_owned(), der(&pem));
    }
    known.insert("token".to_owned(), format!("t0k-of-{environment}"));
    known
}

/// What an app sends that holds no credential, or whose SDK wants one and got
/// any text.
fn request(case: &Case, host: SocketAddr, path: &str) -> String {
    let (method, _, body) = case.call;
    let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    for demand in case.demands {
        let name = match demand {
            Demand::Header(name, _) => name,
            Demand::Basic(..) | Demand::Signature { .. } => "authorization",
            Demand::Default(..) | Demand::Uuid(_) | Demand::Certificate => continue,
        };
        request += &format!("{name}: anything\r\n");
    }
    let (kind, body) = body.unwrap_or_default();
    if !body.is_empty() {
        let length = body.len();
        request += &format!("Content-Type: {kind}\r\nContent-Length: {length}\r\n");
    }
    request + "\r\n" + body
}

fn answer(proxy: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(proxy).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Calls through a proxy that has this route and gets out by `egress`.
pub(crate) fn call(
    collection: &Collection,
    environment: Environment,
    route: Route,
    token: Option<Token>,
    case: &Case,
    egress: Egress,
) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let listen = vec!["127.0.0.1:0".parse().unwrap()];
    let proxy = Proxy::bind(ProxySettings {
        listen,
        egress,
        ..ProxySettings::default()
    });
    let proxy = proxy.unwrap();
    let refused = proxy.handle().apply(Bundle {
        revision: "1".to_owned(),
        environment,
        collections: BTreeMap::from([(collection.name.clone(), Entry::Ready(Arc::new(route)))]),
        tokens: token
            .map(|token| (collection.name.clone(), TokenState::Held(token)))
            .into_iter()
            .collect(),
    });
    assert_eq!(refused, BTreeMap::new());
    let address = proxy.local_addrs()[0];
    let request = request(case, address, case.call.1);
    runtime.block_on(async {
        let called = tokio::task::spawn_blocking(move || answer(address, &request));
        tokio::select! {
            answer = called => answer.unwrap(),
            () = proxy.run(std::future::pending()) => unreachable!("it was not told to end"),
        }
    })
}

#[test]
fn a_call_has_all_that_its_providers_documentation_demands() {
    let authority = authority();
    for case in CASES {
        let name = case.folder;
        let grant = GRANTS.iter().find(|grant| grant.folder == name);
        let collection = collection(&folder(case).join("collection.yaml"));
        let mut material = material(case);
        certify(case, &collection, &mut material, &authority);
        for (environment, host) in ENVIRONMENTS.into_iter().zip(case.hosts) {
            let resolved = resolve(&collection, environment, &material, Timestamp::now());
            let resolved = resolved.unwrap_or_else(|e| panic!("{name}: {e}"));
            let mut route = resolved.route;
            let mut known = known(&collection, environment, &material);
            known.insert("host".to_owned(), host.to_owned());
            let token = match (resolved.order, grant) {
                (Some(order), Some(grant)) => {
                    Some(obtain(grant, environment, order, &known, &authority))
                }
                (None, None) => None,
                (order, _) => panic!("{name}: {order:?}, and what is demanded of it?"),
            };
            let judge = move |arrived: &Arrived| match arrived.values("host").as_slice() {
                [only] if *only == host => judge(case, &known, arrived).map(|()| String::new()),
                other => Err(format!("the host is {other:?}")),
            };
            let provider = Provider::start(host, &authority, Box::new(judge));
            // All but the authority of the stand-in is the example's.
            route.trust = Some(provider.pem.as_str().into());
            let egress = provider.egress();
            let answer = call(&collection, environment, route, token, case, egress);
            assert!(
                answer.starts_with("HTTP/1.1 200 "),
                "{name}, {environment}: {answer}"
            );
        }
    }
}

#[test]
fn what_the_app_sends_is_not_enough_by_itself() {
    let authority = authority();
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 1));
    for case in CASES {
        let collection = collection(&folder(case).join("collection.yaml"));
        let mut material = material(case);
        certify(case, &collection, &mut material, &authority);
        let known = known(&collection, Environment::Development, &material);
        let sent = request(case, anywhere, case.target);
        let arrived = provider::arrived(&mut sent.as_bytes()).unwrap();
        assert!(judge(case, &known, &arrived).is_err(), "{}", case.folder);
    }
}

#[test]
fn every_example_is_called() {
    let with_keys = token_demands::CASES.iter().map(|case| &case.case);
    let cases = CASES.iter().chain(with_keys);
    let called: Vec<&str> = cases.map(|case| case.folder).collect();
    for (folder, _) in providers() {
        assert!(called.contains(&folder.as_str()), "{folder}");
    }
}
