//! An API server that does not write.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::future::{Future, pending, ready};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};

use credence_core::collection::Scope;
use http::{Request, Response, StatusCode};
use kube::Client;
use kube::client::Body;
use tokio::join;

use super::*;
use crate::catalogue::{Kept, Outline};
use crate::queue::Queue;
use crate::tokens::state_secret;
use crate::tokens::tests::{order, record};

fn key() -> CollectionKey {
    CollectionKey::in_namespace("shop", "api".parse().unwrap())
}

fn refused(generation: u64) -> RefusedToken {
    RefusedToken {
        of: key(),
        environment: Environment::Live,
        generation,
    }
}

/// Of a token of generation 1, with this API server.
fn refusals<F>(answer: impl Fn() -> F + Clone + Send + 'static) -> (Refusals, Arc<AtomicUsize>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let catalogue = Catalogue::new(Queue::default(), "credence-credentials");
    catalogue.namespaces_listed();
    catalogue.retain(false, &BTreeSet::new());
    catalogue.retain(true, &BTreeSet::new());
    let outline = Outline {
        uid: "u".to_owned(),
        created: None,
        scope: Scope::Namespace {
            service_accounts: None,
        },
        sidecar_port: None,
    };
    catalogue.announce(&key(), outline);
    let kept = Kept {
        of: key(),
        record: record(&order(1), "t0k", None),
    };
    let name = state_secret::name(&TokenKey::new("u", Environment::Live));
    catalogue.set_record(&name, Some(kept));
    let asked = Arc::<AtomicUsize>::default();
    let counted = asked.clone();
    let service = tower::service_fn(move |_: Request<Body>| {
        counted.fetch_add(1, Ordering::SeqCst);
        let answer = answer.clone();
        async move {
            answer().await;
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            Ok::<_, Infallible>(response)
        }
    });
    let store = SecretStore::new(Client::new(service, "credence-system"), "credence-system");
    (Refusals::new(Arc::new(catalogue), store), asked)
}

#[tokio::test]
async fn all_who_tell_of_the_same_token_hear_that_it_was_not_written() {
    let (refusals, asked) = refusals(|| ready(()));
    let token = refused(1);
    let (first, second) = join!(refusals.note(&token), refusals.note(&token));
    assert!(matches!(first, Err(NotNoted::Store(_))), "{first:?}");
    assert_eq!(first, second);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert_eq!(refusals.note(&token).await, first, "and who comes later");
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn who_waits_for_another_is_told_when_that_goes_away() {
    let (refusals, _) = refusals(pending);
    let token = refused(1);
    let second = {
        let mut first = pin!(refusals.note(&token));
        let mut second = Box::pin(refusals.note(&token));
        assert!(futures::poll!(&mut first).is_pending());
        assert!(futures::poll!(&mut second).is_pending());
        second
    };
    assert_eq!(second.await, Err(NotNoted::BrokenOff));
    assert!(refusals.lock().is_empty());
}

#[tokio::test]
async fn a_token_that_nobody_has_seen_is_not_looked_for() {
    let (refusals, asked) = refusals(pending);
    let honest = refused(1);
    let mut first = pin!(refusals.note(&honest));
    assert!(futures::poll!(&mut first).is_pending());
    for generation in [2, u64::MAX] {
        let told = refusals.note(&refused(generation)).await;
        assert_eq!(told, Err(NotNoted::Unseen));
    }
    assert_eq!(refusals.lock().len(), 1);
    assert!(asked.load(Ordering::SeqCst) <= 1);
}
