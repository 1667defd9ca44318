//! The APIs of the demo's provider: one for each method.

use credence_core::Environment;

use super::api::{Api, Customer, Demand, Place};
use super::authority::Authority;
use super::key::Key;
use super::request::Request;

/// All of them, with new keys and certificates.
///
/// # Errors
/// When the machine has no randomness.
pub(crate) fn apis(authority: &Authority) -> anyhow::Result<Vec<Api>> {
    let key = |place| Demand {
        key: Some(place),
        certificate: false,
    };
    let api = |name, title, manifest, call, answer, demand| -> anyhow::Result<Api> {
        let customer = |environment: Environment| -> anyhow::Result<Customer> {
            Ok(Customer {
                environment,
                key: Key::generate(environment)?,
                certificate: authority.issue(&format!("shop-{environment}"))?,
            })
        };
        Ok(Api {
            name,
            title,
            manifest,
            call,
            answer,
            demand,
            customers: [
                customer(Environment::Development)?,
                customer(Environment::Live)?,
            ],
        })
    };
    Ok(vec![
        api(
            "chat",
            "a key in a header",
            "auth:\n  apiKey: {in: Header, name: Authorization, value: \"Bearer ${secret.key}\"}\n",
            Request::get("/models?limit=2"),
            ("models", "2"),
            key(Place::Bearer),
        )?,
        api(
            "weather",
            "a key in the query",
            "auth:\n  apiKey: {in: Query, name: appid, value: \"${secret.key}\"}\n",
            Request::get("/forecast?city=Oslo"),
            ("forecast", "rain"),
            key(Place::Query("appid")),
        )?,
        api(
            "tickets",
            "a key in a cookie, beside the app's own",
            "auth:\n  apiKey: {in: Cookie, name: session, value: \"${secret.key}\"}\n",
            Request::get("/open").with("cookie", "theme=dark"),
            ("open", "3"),
            key(Place::Cookie("session")),
        )?,
        api(
            "bot",
            "a key in the path",
            "auth:\n  apiKey: {in: Path, value: \"bot${secret.key}\"}\n",
            Request::get("/me"),
            ("me", "robot"),
            key(Place::Path("bot")),
        )?,
        api(
            "sms",
            "a key in the body",
            "auth:\n  apiKey: {in: Body, name: api_key, value: \"${secret.key}\"}\n",
            Request::post("/messages", r#"{"to": "+47 1", "text": "Hi"}"#),
            ("message", "queued"),
            key(Place::Body("api_key")),
        )?,
        api(
            "payments",
            "HTTP Basic",
            "auth:\n  basic: {username: \"${secret.key}\", password: \"\"}\n",
            Request::post("/charges", r#"{"amount": 100}"#),
            ("charge", "ch_1"),
            key(Place::BasicUser),
        )?,
        api(
            "mail",
            "no method, but a private header",
            "headers:\n- {name: X-Mail-Key, value: \"${secret.key}\"}\n",
            Request::post("/messages", r#"{"subject": "Hi"}"#),
            ("message", "queued"),
            key(Place::Header("x-mail-key")),
        )?,
        api(
            "bank",
            "a client certificate",
            "auth:\n  clientCertificate: {}\n",
            Request::get("/accounts"),
            ("accounts", "1"),
            Demand {
                key: None,
                certificate: true,
            },
        )?,
        api(
            "ledger",
            "a client certificate and a key in a header",
            "auth:\n  apiKey: {in: Header, name: X-Key, value: \"${secret.key}\"}\n",
            Request::get("/entries"),
            ("entries", "7"),
            Demand {
                key: Some(Place::Header("x-key")),
                certificate: true,
            },
        )?,
    ])
}
