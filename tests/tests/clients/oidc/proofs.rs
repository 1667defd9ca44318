//! Each way in which a client proves who it is without sending a secret, and the
//! grants that are a signed JSON Web Token and another token.

use anyhow::{Context as _, Result, ensure};
use credence_tests::pki::{Identity, Signer};
use serde_json::{Value, json};

use super::{Oidc, answers_as};
use crate::stage::Stage;

/// Long enough for HMAC with SHA-256 (RFC 7518 §3.2).
const SHARED: &str = "shared-secret-of-more-than-32-bytes-51c0";

const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

fn clients(key: &str) -> Value {
    let client = |id: &str, authentication: &str, grant: &str, further: Value| {
        let mut client = json!({
            "client_id": id, "token_endpoint_auth_method": authentication,
            "grant_types": [grant], "redirect_uris": [], "response_types": [],
            "scope": "orders.read",
        });
        for (name, value) in further.as_object().into_iter().flatten() {
            client[name] = value.clone();
        }
        client
    };
    let machine = "client_credentials";
    json!([
        client(
            "signed",
            "private_key_jwt",
            machine,
            json!({"public_key": key})
        ),
        client(
            "shared",
            "client_secret_jwt",
            machine,
            json!({"client_secret": SHARED})
        ),
        client(
            "shown",
            "tls_client_auth",
            machine,
            json!({"tls_client_auth_subject_dn": "CN=payroll"})
        ),
        client("bearer", "none", JWT_BEARER, json!({})),
        client(
            "exchanged",
            "client_secret_basic",
            TOKEN_EXCHANGE,
            json!({"client_secret": SHARED})
        ),
    ])
}

pub(crate) fn knows_each_client_by_its_proof(stage: &Stage) -> Result<String> {
    let (client, service) = (Signer::new()?, Signer::new()?);
    let oidc = Oidc::start(stage, &clients(&client.public), &service.public)?;
    let identity = oidc.authority.client("payroll", None)?;
    for key in [&client.private, &service.private, &identity.key] {
        // Any line of a key's is the key's.
        let line = key.lines().nth(1).context("a key")?;
        stage.plant(line.to_owned());
    }
    let subject = oidc.ask("/subject?client=signed")?["token"].clone();
    let subject = subject.as_str().context("a token")?;
    for planted in [SHARED, subject] {
        stage.plant(planted.to_owned());
    }

    let url = format!("{}/token", oidc.base);
    let machine = |client: Value| {
        json!({"oauth2ClientCredentials": {"token": {
            "url": url, "scopes": ["orders.read"], "client": client,
        }}})
    };
    let signed = json!({
        "id": "signed", "authentication": "PrivateKeyJwt",
        "assertion": {"algorithm": "ES256", "key": "${secret.key}"},
    });
    let shared = json!({
        "id": "shared", "authentication": "ClientSecretJwt", "secret": "${secret.key}",
    });
    let shown = json!({"id": "shown", "authentication": "TlsClientAuth"});
    let bearer = json!({"jwtBearer": {
        "jwt": {
            "algorithm": "ES256", "key": "${secret.key}", "issuer": "service", "subject": "ann",
        },
        "token": {"url": url, "client": {"id": "bearer"}},
    }});
    let exchanged = json!({"tokenExchange": {"subjectToken": "${secret.subject-token}", "token": {
        "url": url, "audience": "orders", "scopes": ["orders.read"],
        "client": {"id": "exchanged", "secret": "${secret.key}"},
    }}});
    let mut objects = Vec::new();
    for (name, auth, key) in [
        ("signed", machine(signed), client.private.as_str()),
        ("shared", machine(shared), SHARED),
        ("shown", machine(shown), "not-used"),
        ("bearer", bearer, &service.private),
        ("exchanged", exchanged, SHARED),
    ] {
        let held = [("key", key), ("subject-token", subject)];
        objects.extend(oidc.collection(name, &auth, &held));
    }
    show(&mut objects, "shown", &identity);

    let credence = stage.credence(&objects)?;
    let all = ["signed", "shared", "shown", "bearer", "exchanged"];
    for name in all {
        answers_as(&credence, name, name)?;
    }
    // Each is signed anew: the server takes none twice.
    let stats = oidc.granted_twice(&all)?;
    ensure!(stats["refused"] == json!([]), "{stats}");
    stage.end(credence)?;
    Ok(format!("granted {}", stats["granted"]))
}

/// Gives a collection a client certificate.
fn show(objects: &mut Vec<Value>, name: &str, identity: &Identity) {
    let secret = format!("{name}-tls");
    for object in objects.iter_mut() {
        if object["kind"] == "ApiCollection" && object["metadata"]["name"] == name {
            for environment in ["live", "development"] {
                object["spec"][environment]["tlsSecretRef"] = json!({"name": secret});
            }
        }
    }
    objects.push(json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
        "metadata": {"name": secret},
        "stringData": {"tls.crt": identity.certificate, "tls.key": identity.key},
    }));
}
