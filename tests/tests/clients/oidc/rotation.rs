//! Tokens are obtained and renewed, and a refresh token that somebody else has
//! used as well ends the grant.

use anyhow::{Context as _, Result, ensure};
use credence_tests::pki::Signer;
use credence_tests::wait;
use serde_json::{Value, json};

use super::{ODD_ID, ODD_SECRET, Oidc, PATIENCE, PLAIN_SECRET, answers_as};
use crate::caller;
use crate::credence::Credence;
use crate::stage::Stage;

fn clients() -> Value {
    let machine = |id: &str, secret: &str, authentication: &str| {
        json!({
            "client_id": id, "client_secret": secret, "token_endpoint_auth_method": authentication,
            "grant_types": ["client_credentials"], "redirect_uris": [], "response_types": [],
            "scope": "orders.read",
        })
    };
    json!([
        machine(ODD_ID, ODD_SECRET, "client_secret_basic"),
        machine("post", ODD_SECRET, "client_secret_post"),
        {
            "client_id": "app", "client_secret": PLAIN_SECRET,
            "token_endpoint_auth_method": "client_secret_basic",
            "grant_types": ["authorization_code", "refresh_token"],
            "redirect_uris": ["https://app.example.com/back"], "response_types": ["code"],
        },
    ])
}

pub(crate) fn issues_rotates_and_notices_reuse(stage: &Stage) -> Result<String> {
    let oidc = Oidc::start(stage, &clients(), &Signer::new()?.public)?;
    let seed = oidc.ask("/seed?client=app")?["token"].clone();
    let seed = seed.as_str().context("a token")?;
    for planted in [ODD_SECRET, PLAIN_SECRET, seed] {
        stage.plant(planted.to_owned());
    }
    let url = format!("{}/token", oidc.base);
    let credentials = |authentication: &str, id: &str| {
        json!({"oauth2ClientCredentials": {"token": {
            "url": url, "scopes": ["orders.read"],
            "client": {"id": id, "secret": "${secret.key}", "authentication": authentication},
        }}})
    };
    let refresh = json!({"oauth2RefreshToken": {"token": {
        "url": url, "client": {"id": "app", "secret": "${secret.key}"},
    }}});
    let key = [("key", ODD_SECRET)];
    let mut objects = oidc.collection("basic", &credentials("Basic", ODD_ID), &key);
    objects.extend(oidc.collection("post", &credentials("Body", "post"), &key));
    let grant = [("key", PLAIN_SECRET), ("refresh-token", seed)];
    objects.extend(oidc.collection("app", &refresh, &grant));

    let mut credence = stage.credence(&objects)?;
    let started = [("basic", ODD_ID), ("post", "post"), ("app", "app")];
    for (name, client) in started {
        answers_as(&credence, name, client)?;
    }
    let first = works_until(&oidc, &credence, 3)?;
    // What a provider has replaced survives.
    credence = stage.restart(credence)?;
    let last = works_until(&oidc, &credence, first + 2)?;
    let stats = oidc.ask("/stats")?;
    ensure!(stats["refused"] == json!([]), "{stats}");
    ensure!(stats["late"] == 0, "{stats}");

    // Somebody else has got hold of the first one: the server ends the grant.
    let thief = oidc.ask(&format!("/steal?client=app&token={seed}"))?;
    ensure!(thief["status"] == 400, "{thief}");
    wait::until("the reuse is told", PATIENCE, || {
        let answer = caller::get(credence.proxy, "/app/orders", &[])?;
        Ok(answer
            .text()
            .contains("reauthorization-required")
            .then_some(()))
    })?;
    let said = credence.said()?;
    ensure!(
        said.contains("put the new refresh token into the Secret"),
        "{said}"
    );
    // The others are not concerned.
    let answer = caller::get(credence.proxy, "/post/orders", &[])?;
    ensure!(answer.status == 200, "{answer:?}");
    let calls = &stats["calls"];
    stage.end(credence)?;
    Ok(format!(
        "{last} refreshes of the one grant, {calls} calls, none late"
    ))
}

/// Calls until the server has granted so many tokens for a refresh token; every
/// call must be answered. The number that it has granted.
fn works_until(oidc: &Oidc, credence: &Credence, count: u64) -> Result<u64> {
    wait::until("tokens are refreshed", PATIENCE, || {
        let answer = caller::get(credence.proxy, "/app/orders", &[])?;
        // Only at the very beginning is there none.
        ensure!(matches!(answer.status, 200 | 503), "{answer:?}");
        let granted = oidc.ask("/stats")?["granted"]["app"].as_u64().unwrap_or(0);
        Ok((granted >= count).then_some(granted))
    })
}
