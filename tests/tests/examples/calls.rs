//! Each example, called once in each environment, as an app calls it.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use credence_core::Environment;
use credence_core::bundle::{Bundle, Entry, Route};
use credence_core::collection::Collection;
use credence_core::resolve::{Material, SecretObject, resolve};
use credence_sidecar::{Egress, Proxy, ProxySettings};
use jiff::Timestamp;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use crate::demands::{CASES, Case, Demand};
use crate::manifests::{collection, examples, providers, secrets};
use crate::provider::{self, Arrived, Provider};
use crate::signature;

/// Far above what a call on this machine takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// What `{NAME}` stands for in the texts of a case.
pub(crate) type Known = BTreeMap<String, String>;

fn filled(text: &str, known: &Known) -> String {
    known.iter().fold(text.to_owned(), |text, (name, value)| {
        text.replace(&format!("{{{name}}}"), value)
    })
}

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
        config_maps: BTreeMap::new(),
    }
}

/// Whose client certificates the stand-ins trust.
fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Gives a case what cannot stand in a file that everybody reads.
fn certify(case: &Case, material: &mut Material, authority: &CertifiedIssuer<'static, KeyPair>) {
    if !case.demands.contains(&Demand::Certificate) {
        return;
    }
    for environment in ["dev", "live"] {
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
        let name = format!("{}-{environment}", case.folder);
        material.secrets.insert(name, secret);
    }
    let authorities = BTreeMap::from([("ca.crt".to_owned(), authority.pem())]);
    let name = format!("{}-sandbox-ca", case.folder);
    material.config_maps.insert(name, authorities);
}

/// The DER of a certificate in base64, which is what stands in its PEM.
fn der(pem: &str) -> String {
    pem.lines().filter(|line| !line.starts_with('-')).collect()
}

fn known(collection: &Collection, environment: Environment, material: &Material) -> Known {
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
    known
}

/// What the provider's documentation says about a request.
fn judge(case: &Case, known: &Known, arrived: &Arrived) -> Result<(), String> {
    let (method, _, body) = case.call;
    let expect = |what: &str, given: &[&str], expected: &str| match given {
        [only] if *only == expected => Ok(()),
        _ => Err(format!("{what} is {given:?}, not {expected}")),
    };
    expect("the method", &[&arrived.method], method)?;
    expect(
        "the target",
        &[&arrived.target],
        &filled(case.target, known),
    )?;
    if let Some((kind, body)) = body {
        expect("the body", &[&arrived.body], body)?;
        expect("its type", &arrived.values("content-type"), kind)?;
    }
    for demand in case.demands {
        match *demand {
            Demand::Header(name, value) | Demand::Default(name, value) => {
                expect(name, &arrived.values(name), &filled(value, known))?;
            }
            Demand::Basic(user, password) => {
                let pair = STANDARD.encode(filled(&format!("{user}:{password}"), known));
                let given = arrived.values("authorization");
                expect("authorization", &given, &format!("Basic {pair}"))?;
            }
            Demand::Signature { service, region } => {
                let region = filled(region, known);
                let given = arrived.values("authorization");
                let expected = signature::expected(arrived, known, service, &region)?;
                expect("authorization", &given, &expected)?;
            }
            Demand::Uuid(name) => match arrived.values(name).as_slice() {
                [id] if is_random_uuid(id) => {}
                other => return Err(format!("{name} is {other:?}, not a UUID")),
            },
            Demand::Certificate => {
                let shown: Vec<&str> = arrived.certificate.as_deref().into_iter().collect();
                expect("the certificate", &shown, &known["certificate"])?;
            }
        }
    }
    Ok(())
}

/// RFC 9562 §5.4: `xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx`.
fn is_random_uuid(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12]
        && text.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit())
        && text.as_bytes()[14] == b'4'
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
fn call(
    collection: &Collection,
    environment: Environment,
    route: Route,
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
        tokens: BTreeMap::new(),
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
    let environments = [Environment::Development, Environment::Live];
    let authority = authority();
    for case in CASES {
        let name = case.folder;
        let collection = collection(&folder(case).join("collection.yaml"));
        let mut material = material(case);
        certify(case, &mut material, &authority);
        for (environment, host) in environments.into_iter().zip(case.hosts) {
            let resolved = resolve(&collection, environment, &material, Timestamp::now());
            let mut route = resolved.unwrap_or_else(|e| panic!("{name}: {e}")).route;
            assert_eq!(route.base_url.authority(), host, "{name}, {environment}");
            let known = known(&collection, environment, &material);
            let judge = move |arrived: &Arrived| match arrived.values("host").as_slice() {
                [only] if *only == host => judge(case, &known, arrived),
                other => Err(format!("the host is {other:?}")),
            };
            let provider = Provider::start(host, &authority, Box::new(judge));
            // All but the authority of the stand-in is the example's.
            route.trust = Some(provider.pem.as_str().into());
            let by = |variable: &str| {
                let proxy = format!("http://{}", provider.address);
                (variable == "HTTPS_PROXY").then(|| proxy.into())
            };
            let egress = Egress::read(by).unwrap();
            let answer = call(&collection, environment, route, case, egress);
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
        certify(case, &mut material, &authority);
        let known = known(&collection, Environment::Development, &material);
        let sent = request(case, anywhere, case.target);
        let arrived = provider::arrived(&mut sent.as_bytes()).unwrap();
        assert!(judge(case, &known, &arrived).is_err(), "{}", case.folder);
    }
}

#[test]
fn every_example_is_called() {
    let called: Vec<&str> = CASES.iter().map(|case| case.folder).collect();
    for (folder, _) in providers() {
        assert!(called.contains(&folder.as_str()), "{folder}");
    }
}
