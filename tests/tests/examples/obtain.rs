//! Obtains the token of an example, as the operator does.

use std::collections::BTreeMap;
use std::sync::Arc;

use credence_broker::store::MemoryStore;
use credence_broker::{
    AccountTokens, Clock, Exchange, Keeper, NotIssued, PrivateNetworks, State, TokenKey, Tools,
};
use credence_core::bundle::Token;
use credence_core::token::{AccountToken, Order};
use credence_core::{Environment, Secret};
use percent_encoding::percent_decode_str;
use rcgen::{CertifiedIssuer, KeyPair};
use serde_json::Value;

use crate::calls::PATIENCE;
use crate::grants::{Content, Grant};
use crate::judge::{Known, expect, filled, satisfies};
use crate::provider::{Arrived, Provider};

/// Stands in for the API server: what it issues says what was asked for.
struct Cluster;

impl AccountTokens for Cluster {
    async fn issue(&self, token: &AccountToken) -> Result<Secret, NotIssued> {
        let AccountToken {
            namespace,
            name,
            audience,
            ..
        } = token;
        let issued = format!("of {name} in {namespace} for {audience}");
        Ok(Secret::new(issued))
    }
}

/// What the provider's documentation says about the request.
fn judge(grant: &Grant, host: &str, known: &Known, arrived: &Arrived) -> Result<(), String> {
    expect("the host", &arrived.values("host"), host)?;
    expect("the method", &[&arrived.method], "POST")?;
    let target = filled(grant.target, known);
    expect("the target", &[&arrived.target], &target)?;
    let kind = arrived.values("content-type");
    match grant.content {
        Content::Form(fields) => {
            expect("its type", &kind, "application/x-www-form-urlencoded")?;
            let expected = fields
                .iter()
                .map(|(name, value)| ((*name).to_owned(), filled(value, known)))
                .collect();
            let sent = form(&arrived.body);
            if sent != expected {
                return Err(format!("the fields are {sent:?}, not {expected:?}"));
            }
        }
        Content::Json(text) => {
            expect("its type", &kind, "application/json")?;
            let read = |text: &str| serde_json::from_str::<Value>(text);
            let sent = read(&arrived.body).map_err(|error| error.to_string())?;
            let expected = read(&filled(text, known)).map_err(|error| error.to_string())?;
            if sent != expected {
                return Err(format!("the body is {sent}, not {expected}"));
            }
        }
    }
    satisfies(grant.demands, known, arrived)
}

fn form(body: &str) -> BTreeMap<String, String> {
    let decoded = |text: &str| {
        let spaced = text.replace('+', " ");
        percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
    };
    body.split('&')
        .filter_map(|field| field.split_once('='))
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect()
}

/// The token that the example's order brings. All but the authority of the
/// stand-in is the example's.
pub(crate) fn obtain(
    grant: &'static Grant,
    environment: Environment,
    mut order: Order,
    known: &Known,
    clients: &CertifiedIssuer<'static, KeyPair>,
) -> Token {
    let host = match environment {
        Environment::Development => grant.hosts[0],
        Environment::Live => grant.hosts[1],
    };
    let known = known.clone();
    let judge = move |arrived: &Arrived| {
        judge(grant, host, &known, arrived).map(|()| filled(grant.answer, &known))
    };
    let provider = Provider::start(host, clients, Box::new(judge));
    order.trust = Some(provider.pem.as_str().into());
    let private = PrivateNetworks::Only(Arc::default());
    let exchange = Exchange::new(provider.egress(), private).with_accounts(Cluster);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let tools = Tools::new(MemoryStore::default(), exchange, Clock::system(), "test");
        let key = TokenKey::new(grant.folder, environment);
        let keeper = Keeper::start(Arc::new(tools), key, Arc::new(order), 0);
        let mut outcome = keeper.outcome();
        let settled = outcome.wait_for(|outcome| {
            matches!(outcome.state, State::Token(_)) || outcome.setback.is_some()
        });
        let settled = tokio::time::timeout(PATIENCE, settled).await;
        let settled = settled.unwrap().unwrap().clone();
        keeper.stop().await;
        match &settled.state {
            State::Token(token) => (**token).clone(),
            _ => panic!("{}, {environment}: {:?}", grant.folder, settled.setback),
        }
    })
}
