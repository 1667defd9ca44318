//! What `credence run` is given, and the secrets in it.

use serde_json::{Value, json};

/// What an app puts where its SDK wants a key. It must never reach a provider.
pub(crate) const DUMMY: &str = "dummy-key-of-the-app-0815";

/// The credential in development, which is what the tests run in. Its odd
/// characters make each of its encodings a different text.
pub(crate) const KEY: &str = "sk-dev/7f3e9a+b1c2~d3e4f5";

/// The credential of the live environment, which nothing here may use.
pub(crate) const LIVE_KEY: &str = "sk-live/0a9b8c+7d6e~5f4a3b";

/// A collection that sets `Authorization: Bearer KEY`, with its Secrets and the
/// authority of its provider.
pub(crate) struct Api<'a> {
    pub(crate) name: &'a str,
    pub(crate) base_url: String,
    /// The PEM root of the provider's certificate.
    pub(crate) authority: &'a str,
    /// Further members of `spec`.
    pub(crate) spec: Value,
}

impl<'a> Api<'a> {
    pub(crate) fn new(name: &'a str, base_url: String, authority: &'a str) -> Self {
        Self {
            name,
            base_url,
            authority,
            spec: json!({}),
        }
    }

    pub(crate) fn objects(&self) -> Vec<Value> {
        let name = self.name;
        let environment = |secret: String| {
            json!({
                "secretRef": {"name": secret},
                "caRef": {"kind": "ConfigMap", "name": format!("{name}-ca"), "key": "ca.crt"},
                "allowPrivateNetworks": true,
            })
        };
        let mut spec = json!({
            "baseUrl": self.base_url,
            "auth": {"apiKey": {
                "in": "Header", "name": "Authorization", "value": "Bearer ${secret.key}",
            }},
            "live": environment(format!("{name}-live")),
            "development": environment(format!("{name}-dev")),
        });
        merge(&mut spec, &self.spec);
        vec![
            json!({
                "apiVersion": "credence.dev/v1alpha1",
                "kind": "ApiCollection",
                "metadata": {"name": name},
                "spec": spec,
            }),
            json!({
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": format!("{name}-ca")},
                "data": {"ca.crt": self.authority},
            }),
            secret(&format!("{name}-dev"), &[("key", KEY)]),
            secret(&format!("{name}-live"), &[("key", LIVE_KEY)]),
        ]
    }
}

/// A Secret with these values.
pub(crate) fn secret(name: &str, values: &[(&str, &str)]) -> Value {
    let data: serde_json::Map<String, Value> = values
        .iter()
        .map(|(key, value)| ((*key).to_owned(), Value::from(*value)))
        .collect();
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name},
        "stringData": data,
    })
}

fn merge(into: &mut Value, further: &Value) {
    for (name, value) in further.as_object().into_iter().flatten() {
        into[name] = value.clone();
    }
}
