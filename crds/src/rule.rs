//! The rules that the API server checks beyond the schema, in CEL.
//!
//! Each gives the value of `x-kubernetes-validations`. A message says what to
//! write instead. What needs a real parser (templates, URLs) is checked by the
//! conversion; these rules exist to refuse the common mistakes, and above all a
//! literal secret, before anything is stored.

use credence_core::header_name::{PUNCTUATION, RESERVED, RESERVED_PREFIXES};
use kube::core::Rule;
use serde_json::{Value, json};

/// Names of Secrets, ConfigMaps and ServiceAccounts (RFC 1123 subdomain).
pub(crate) const OBJECT_NAME: &str =
    "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
/// Keys in the data of Secrets and ConfigMaps.
pub(crate) const DATA_KEY: &str = "^[-._a-zA-Z0-9]+$";

/// A template that takes something from the Secret. `$${` is a literal `${`, so
/// what follows it does not count. Character classes instead of backslashes:
/// CEL, YAML and Rust each have an opinion about those.
const SECRET_REFERENCE: &str = "(^|[^$])[$][{](secret[.]|[^}]*([( \"]secret[.]|[|] *hmacSha256:))";

/// The schema of a bounded text, for places that the derive cannot reach.
pub(crate) fn text(min: usize, max: usize) -> Value {
    json!({"type": "string", "minLength": min, "maxLength": max})
}

fn rules<const N: usize>(rules: [(String, &str); N]) -> Value {
    rules
        .into_iter()
        .map(|(rule, message)| json!({"rule": rule, "message": message}))
        .collect()
}

/// The object's name is a path segment and part of a variable's name.
pub(crate) fn name() -> Rule {
    Rule::new("self.metadata.name.matches('^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$')").message(
        "metadata.name is the path segment of calls: write at most 63 lower-case letters, digits and \"-\"",
    )
}

pub(crate) fn spec() -> Value {
    rules([(
        "self.developmentFallback != 'UseLive' || !has(self.development)".to_owned(),
        "developmentFallback: UseLive is only used without development: remove one of the two",
    )])
}

pub(crate) fn base_url() -> Value {
    rules([
        (
            "self.startsWith('https://') || self.startsWith('${')".to_owned(),
            "baseUrl must begin with https://",
        ),
        (
            format!("!self.matches('{SECRET_REFERENCE}')"),
            "baseUrl must not refer to a Secret: write ${values.NAME}, and put secrets into headers or query",
        ),
    ])
}

pub(crate) fn one_method() -> Value {
    rules([(
        "[has(self.none), has(self.apiKey), has(self.basic)].filter(chosen, chosen).size() == 1"
            .to_owned(),
        "auth takes exactly one of none, apiKey and basic",
    )])
}

/// Rules about a text that may turn out to be a secret stand at the object
/// around it: the API server quotes the text that breaks a rule, in its answer
/// and in its audit log, but never an object.
pub(crate) fn api_key() -> Value {
    let header = |rule: String| format!("self.__in__ != 'Header' || {rule}");
    json!([
        at(".name", &header(is_token("self.name")), NOT_A_TOKEN),
        at(".name", &header(is_free("self.name")), RESERVED_NAME),
        at(
            ".value",
            &format!("self.value.matches('{SECRET_REFERENCE}')"),
            "value must take the key from the Secret, such as \"Bearer ${secret.api-key}\": \
             whoever may read this object could read a key that is written here",
        ),
        at(
            ".value",
            &one_line_of("self.value"),
            "value must be one line"
        ),
    ])
}

pub(crate) fn basic() -> Value {
    let either = format!(
        "self.username.matches('{SECRET_REFERENCE}') || self.password.matches('{SECRET_REFERENCE}')"
    );
    json!([
        {
            "rule": either,
            "message": "username or password must come from the Secret, such as \"${secret.password}\": \
                whoever may read this object could read a password that is written here",
        },
        at(".username", &one_line_of("self.username"), "username must be one line"),
        at(".password", &one_line_of("self.password"), "password must be one line"),
    ])
}

/// A rule of an object about one of its fields.
fn at(field: &str, rule: &str, message: &str) -> Value {
    json!({"rule": rule, "message": message, "fieldPath": field})
}

pub(crate) fn header_name() -> Value {
    rules([
        (is_token("self"), NOT_A_TOKEN),
        (is_free("self"), RESERVED_NAME),
    ])
}

/// Of a header or parameter, as an object: see [`api_key`].
pub(crate) fn named_value() -> Value {
    json!([at(
        ".value",
        &one_line_of("self.value"),
        "value must be one line"
    )])
}

const NOT_A_TOKEN: &str =
    "name cannot be the name of a header: write letters, digits and any of !#$%&'*+-.^_`|~";
const RESERVED_NAME: &str = "name is a header of the connection (such as Host or Connection), which the proxy sets itself: leave it out";

fn one_line_of(subject: &str) -> String {
    format!("!{subject}.matches('[\\\\x00-\\\\x1f\\\\x7f]')")
}

fn is_token(subject: &str) -> String {
    let punctuation: String = PUNCTUATION
        .chars()
        .flat_map(|c| match c {
            '\'' => vec!['\\', '\''],
            '-' | '^' => vec!['\\', '\\', c],
            other => vec![other],
        })
        .collect();
    format!("{subject}.matches('^[0-9A-Za-z{punctuation}]+$')")
}

fn is_free(subject: &str) -> String {
    let names = RESERVED.map(|name| format!("'{name}'")).join(", ");
    let prefixes: String = RESERVED_PREFIXES
        .iter()
        .map(|prefix| format!(" && !{subject}.lowerAscii().startsWith('{prefix}')"))
        .collect();
    format!("!({subject}.lowerAscii() in [{names}]){prefixes}")
}

#[cfg(test)]
mod tests;
