//! `GET /`: the collections that there are here.

use std::collections::BTreeMap;

use credence_core::{CollectionName, Environment};
use serde::Serialize;

use crate::problem::{AnswerForm, write_answer};
use crate::table::Table;

#[derive(Serialize)]
struct Index<'a> {
    collections: Vec<Collection<'a>>,
}

#[derive(Serialize)]
struct Collection<'a> {
    name: &'a str,
    environment: &'static str,
    state: &'static str,
    url: String,
}

/// Writes the list. `own_ports` are the collections that have one, and `host`
/// is the authority that the caller used.
pub(crate) fn write(
    table: &Table,
    own_ports: &BTreeMap<CollectionName, u16>,
    host: &str,
    form: AnswerForm,
    out: &mut Vec<u8>,
) {
    let environment = Environment::as_str(table.environment());
    let collections = table.states().into_iter().map(|(name, state)| Collection {
        name,
        environment,
        state,
        url: match own_ports.get(name) {
            Some(port) => format!("http://{}:{port}", without_port(host)),
            None => format!("http://{host}/{name}"),
        },
    });
    let index = Index {
        collections: collections.collect(),
    };
    // Strings only: there is nothing in it that could fail.
    let body = serde_json::to_vec(&index).unwrap_or_default();
    write_answer("200 OK", "application/json", "", &body, form, out);
}

/// The host of an authority, with the brackets of an IPv6 address.
fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => host,
        _ => authority,
    }
}
