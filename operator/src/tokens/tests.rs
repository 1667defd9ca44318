//! Orders and records for tests.

use std::collections::BTreeMap;
use std::sync::Arc;

use credence_core::Secret;
use credence_core::bundle::{Entry, OnConflict, Placed, Route, Value};
use credence_core::collection::{FieldFormat, RequestMethod};
use credence_core::template::LateText;
use credence_core::token::request::{Content, TokenRequest};
use credence_core::token::{Held, Order, Record, Renewal, Signers, Terms};
use jiff::Timestamp;

/// An order; those of different numbers are for different tokens.
pub(crate) fn order(number: u8) -> Arc<Order> {
    Arc::new(Order {
        method: "oauth2ClientCredentials",
        terms: Terms::new([number; 32], [number; 32], [number; 32], Renewal::Anew),
        steps: Vec::new(),
        request: Some(TokenRequest {
            url: LateText::known(&Secret::new("https://auth.test/token")),
            url_allow: Vec::new(),
            method: RequestMethod::Post,
            headers: Vec::new(),
            content: Content::Fields(FieldFormat::Form, Vec::new()),
        }),
        signers: Signers::default(),
        subject: None,
        refresh: None,
        trust: None,
        client_certificate: None,
        allow_private_networks: false,
        allow_insecure_http: false,
    })
}

/// What is kept when a token of this order was obtained.
pub(crate) fn record(order: &Order, token: &str, expires_at: Option<Timestamp>) -> Arc<Record> {
    Arc::new(Record {
        generation: 1,
        held: Some(Held {
            order: order.terms.order,
            access_token: Secret::new(token),
            obtained_at: Timestamp::UNIX_EPOCH,
            expires_at,
            captured: BTreeMap::new(),
            base_url: None,
            missing_scopes: Vec::new(),
        }),
        ..Record::default()
    })
}

/// An entry whose calls need a token.
pub(crate) fn on_token() -> Entry {
    let pieces = r#"[{"text": "Bearer "}, {"token": ""}]"#;
    let mut route = Route::to("https://api.test".parse().unwrap());
    route.headers.push(Placed {
        name: "Authorization".to_owned(),
        value: Value::Varying(serde_json::from_str(pieces).unwrap()),
        private: true,
        on_conflict: OnConflict::Replace,
    });
    Entry::Ready(Arc::new(route))
}
