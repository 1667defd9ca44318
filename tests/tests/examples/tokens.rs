//! Each example whose method obtains a token: the request for it, and a call.

use credence_broker::{Asking, Exchange, PrivateNetworks};
use credence_core::Environment;
use credence_core::bundle::Token;
use credence_core::collection::Collection;
use credence_core::resolve::{Material, Resolved, resolve};
use credence_core::token::{Ask, Order, Record, RoundTrip};
use jiff::Timestamp;
use rcgen::KeyPair;

use crate::calls::{self, known};
use crate::judge::{Known, filled, judge};
use crate::keys;
use crate::manifests::{collection, examples};
use crate::provider::{Arrived, Provider};
use crate::token_demands::{CASES, Endpoint, Source, TokenCase};

/// A case in one environment.
struct Scene {
    collection: Collection,
    environment: Environment,
    resolved: Resolved,
    known: Known,
    /// As PEM.
    key: String,
    host: &'static str,
}

fn scenes(case: &TokenCase) -> Vec<Scene> {
    let folder = examples().join(case.case.folder);
    let collection = collection(&folder.join("collection.yaml"));
    let (secrets, keys) = keys::secrets(&collection);
    let material = Material {
        secrets,
        ..Material::default()
    };
    let environments = [Environment::Development, Environment::Live];
    let scene = |(environment, host): (Environment, &'static str)| {
        let resolved = resolve(&collection, environment, &material, Timestamp::now());
        let resolved = resolved.unwrap_or_else(|e| panic!("{}: {e}", case.case.folder));
        let mut known = known(&collection, environment, &material);
        known.insert("host".to_owned(), host.to_owned());
        let key = &keys[resolved.secret.as_ref().unwrap()];
        Scene {
            collection: collection.clone(),
            environment,
            key: key.serialize_pem(),
            resolved,
            known,
            host,
        }
    };
    environments
        .into_iter()
        .zip(case.case.hosts)
        .map(scene)
        .collect()
}

/// A stand-in for the token endpoint that says why it refuses, in the body.
fn endpoint(asked: &'static Endpoint, host: &'static str, scene: &Scene) -> Provider {
    let (known, pem) = (scene.known.clone(), scene.key.clone());
    let judge = move |arrived: &Arrived| {
        let key = KeyPair::from_pem(&pem).unwrap();
        let target = filled(asked.target, &known);
        if arrived.target != target {
            return Err(format!("{} is not {target}", arrived.target));
        }
        (asked.check)(arrived, &known, &key)?;
        Ok(filled(asked.answer, &known))
    };
    Provider::start(host, &calls::authority(), Box::new(judge))
}

/// What comes of an order, and what was answered to it.
fn obtained(order: &Order, provider: Option<&Provider>) -> Result<Token, String> {
    let egress = provider.map(Provider::egress).unwrap_or_default();
    let exchange = Exchange::new(egress, PrivateNetworks::AsOrdered);
    let mut order = order.clone();
    order.trust = provider.map(|provider| provider.pem.as_str().into());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let now = Timestamp::now();
    let answer = runtime.block_on(exchange.send(&order, Asking::Anew, now));
    let answer = answer.map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&answer.body).into_owned();
    let round_trip = RoundTrip {
        sent: now,
        received: now,
    };
    let record = Record::default()
        .answered(Ask::Anew, answer, round_trip, &order.terms)
        .reading(&order.terms, now);
    let held = record.held.ok_or(said)?;
    assert!(held.expires_at.is_some_and(|end| end > now));
    Ok(held.token(1, &order.terms).unwrap())
}

/// The token of a scene, by whatever it takes.
fn token(case: &'static TokenCase, environment: usize, scene: &Scene) -> Token {
    let order = scene.resolved.order.as_ref().unwrap();
    let folder = case.case.folder;
    match &case.source {
        Source::Endpoint(asked) => {
            let provider = endpoint(asked, asked.hosts[environment], scene);
            obtained(order, Some(&provider)).unwrap_or_else(|why| panic!("{folder}: {why}"))
        }
        Source::Signature(check) => {
            let token = obtained(order, None).unwrap();
            let key = KeyPair::from_pem(&scene.key).unwrap();
            let checked = check(token.value.expose(), &scene.known, &key);
            checked.unwrap_or_else(|why| panic!("{folder}: {why}"));
            token
        }
    }
}

#[test]
fn a_token_is_asked_for_as_its_providers_documentation_demands_and_calls_have_it() {
    for case in CASES {
        for (at, mut scene) in scenes(case).into_iter().enumerate() {
            let token = token(case, at, &scene);
            let value = token.value.expose().to_owned();
            scene.known.insert("token".to_owned(), value);
            let (known, host) = (scene.known.clone(), scene.host);
            let judged = move |arrived: &Arrived| match arrived.values("host").as_slice() {
                [only] if *only == host => {
                    judge(&case.case, &known, arrived).map(|()| String::new())
                }
                other => Err(format!("the host is {other:?}")),
            };
            let provider = Provider::start(host, &calls::authority(), Box::new(judged));
            let mut route = scene.resolved.route;
            route.trust = Some(provider.pem.as_str().into());
            let answer = calls::call(
                &scene.collection,
                scene.environment,
                route,
                Some(token),
                &case.case,
                provider.egress(),
            );
            let folder = case.case.folder;
            assert!(answer.starts_with("HTTP/1.1 200 "), "{folder}: {answer}");
        }
    }
}

/// Each check is one: what another key has signed gets nothing.
#[test]
fn what_another_key_has_signed_gets_no_token() {
    for case in CASES {
        let [development, live] = &scenes(case)[..] else {
            panic!("two environments");
        };
        let order = development.resolved.order.as_ref().unwrap();
        let stranger = Scene {
            key: live.key.clone(),
            known: development.known.clone(),
            collection: development.collection.clone(),
            resolved: development.resolved.clone(),
            ..*development
        };
        let refused = match &case.source {
            Source::Endpoint(asked) => {
                let provider = endpoint(asked, asked.hosts[0], &stranger);
                obtained(order, Some(&provider)).unwrap_err()
            }
            Source::Signature(check) => {
                let token = obtained(order, None).unwrap();
                let key = KeyPair::from_pem(&stranger.key).unwrap();
                check(token.value.expose(), &stranger.known, &key).unwrap_err()
            }
        };
        assert_eq!(refused, "the signature is wrong", "{}", case.case.folder);
    }
}
