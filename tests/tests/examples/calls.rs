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
use credence_core::resolve::{Material, resolve};
use credence_sidecar::{Proxy, ProxySettings};
use jiff::Timestamp;

use crate::demands::{CASES, Case, Demand};
use crate::manifests::{collection, examples, providers, secrets};
use crate::provider::{self, Arrived, Provider};

/// Far above what a call on this machine takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// What `{NAME}` stands for in the texts of a case.
type Known = BTreeMap<String, String>;

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
    let mut secrets = secrets(&folder(case).join("secrets.yaml"));
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
        let (name, expected) = match *demand {
            Demand::Header(name, value) | Demand::Default(name, value) => {
                (name, filled(value, known))
            }
            Demand::Basic(user, password) => {
                let pair = filled(&format!("{user}:{password}"), known);
                ("authorization", format!("Basic {}", STANDARD.encode(pair)))
            }
        };
        expect(name, &arrived.values(name), &expected)?;
    }
    Ok(())
}

/// What an app sends that holds no credential, or whose SDK wants one and got
/// any text.
fn request(case: &Case, host: SocketAddr, path: &str) -> String {
    let (method, _, body) = case.call;
    let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    for demand in case.demands {
        let name = match demand {
            Demand::Header(name, _) => name,
            Demand::Basic(..) => "authorization",
            Demand::Default(..) => continue,
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

/// Calls through a proxy that has this route.
fn call(collection: &Collection, environment: Environment, route: Route, case: &Case) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let listen = vec!["127.0.0.1:0".parse().unwrap()];
    let proxy = Proxy::bind(ProxySettings {
        listen,
        ..ProxySettings::default()
    });
    let proxy = proxy.unwrap();
    let refused = proxy.handle().apply(Bundle {
        revision: "1".to_owned(),
        environment,
        collections: BTreeMap::from([(collection.name.clone(), Entry::Ready(Arc::new(route)))]),
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
    for case in CASES {
        let name = case.folder;
        let collection = collection(&folder(case).join("collection.yaml"));
        let material = material(case);
        for (environment, host) in environments.into_iter().zip(case.hosts) {
            let resolved = resolve(&collection, environment, &material, Timestamp::now());
            let mut route = resolved.unwrap_or_else(|e| panic!("{name}: {e}")).route;
            assert_eq!(route.base_url.authority(), host, "{name}, {environment}");
            let known = known(&collection, environment, &material);
            let provider = Provider::start(Box::new(move |arrived| judge(case, &known, arrived)));
            // The provider's stand-in: everything but the host is the example's.
            let base = format!("https://{}{}", provider.address, route.base_url.path());
            route.base_url = base.parse().unwrap();
            route.trust = Some(provider.pem.as_str().into());
            route.allow_private_networks = true;
            let answer = call(&collection, environment, route, case);
            assert!(
                answer.starts_with("HTTP/1.1 200 "),
                "{name}, {environment}: {answer}"
            );
        }
    }
}

#[test]
fn what_the_app_sends_is_not_enough_by_itself() {
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 1));
    for case in CASES {
        let collection = collection(&folder(case).join("collection.yaml"));
        let known = known(&collection, Environment::Development, &material(case));
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
