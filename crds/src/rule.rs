//! The rules that the API server checks beyond the schema, in CEL.
//!
//! Each gives the value of `x-kubernetes-validations`. A message says what to
//! write instead. What needs a real parser (templates, URLs) is checked by the
//! conversion; these rules exist to refuse the common mistakes, and above all a
//! literal secret, before anything is stored.

use credence_core::header_name::{PUNCTUATION, RESERVED, RESERVED_PREFIXES};
use credence_core::names::{AUDIENCE, PROXY_PORT, SIDECAR_ADMIN_PORT};
use kube::core::Rule;
use serde_json::{Value, json};

use crate::auth::Auth;

/// Names of Secrets, ConfigMaps and ServiceAccounts (RFC 1123 subdomain).
pub(crate) const OBJECT_NAME: &str =
    "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
/// A ServiceAccount of the cluster: namespace and name.
pub(crate) const ACCOUNT_NAME: &str = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?/[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
/// Names that a variable can hold between two dots.
pub(crate) const STEP_NAME: &str = "^[-_a-zA-Z0-9]+$";
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

/// The schema of any JSON, for places that the derive cannot reach.
pub(crate) fn anything() -> Value {
    json!({"x-kubernetes-preserve-unknown-fields": true})
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
    spec_rules([(
        "self.developmentFallback != 'UseLive' || !has(self.development)".to_owned(),
        "developmentFallback: UseLive is only used without development: remove one of the two",
    )])
}

pub(crate) fn cluster_spec() -> Value {
    spec_rules([(
        "self.developmentFallback != 'UseLive'".to_owned(),
        "developmentFallback: UseLive is for ApiCollection only: name Secrets for development in spec.development",
    )])
}

/// Those of both kinds, after those of one.
fn spec_rules(own: [(String, &str); 1]) -> Value {
    let without = "!has(self.auth) || !has(self.auth.clientCertificate)";
    let certificate = |block: &str| {
        let rule = format!("{without} || !has(self.{block}) || has(self.{block}.tlsSecretRef)");
        (rule, NO_CERTIFICATE)
    };
    let [own] = own;
    rules([
        own,
        certificate("live"),
        certificate("development"),
        (
            format!("{without} || has(self.live) || has(self.development)"),
            NO_CERTIFICATE,
        ),
        (
            "!has(self.auth) || !has(self.auth.apiKey) || self.auth.apiKey.__in__ != 'Cookie' || \
             !has(self.headers) || !self.headers.exists(header, header.name.lowerAscii() == 'cookie')"
                .to_owned(),
            "headers must not set Cookie beside auth.apiKey in: Cookie: remove it, cookies of the caller are left alone",
        ),
        (
            "!has(self.verification) || !has(self.auth) || !has(self.auth.apiKey) || \
             self.auth.apiKey.__in__ != 'Body'"
                .to_owned(),
            "verification is a call without a body, which a key of auth.apiKey in: Body has no place in: remove it",
        ),
    ])
}

const NO_CERTIFICATE: &str = "auth.clientCertificate takes the certificate of tlsSecretRef: add tlsSecretRef to \
    every environment that is there, and at least one environment";

pub(crate) fn base_url() -> Value {
    rules([
        (
            "self.startsWith('https://') || self.startsWith('http://') || self.startsWith('${')"
                .to_owned(),
            "baseUrl must begin with https:// (or with http://, where allowInsecureHttp is set)",
        ),
        (
            format!("!self.matches('{SECRET_REFERENCE}')"),
            "baseUrl must not refer to a Secret: write ${values.NAME}, and put secrets into auth, headers or query",
        ),
    ])
}

pub(crate) fn environment_settings() -> Value {
    json!([at(
        ".baseUrl",
        "!has(self.baseUrl) || !self.baseUrl.startsWith('http://') || self.allowInsecureHttp",
        "baseUrl must begin with https://, or allowInsecureHttp be true beside it",
    )])
}

/// The sidecar's own.
pub(crate) fn sidecar_port() -> Value {
    rules([(
        format!("!(self in [{PROXY_PORT}, {SIDECAR_ADMIN_PORT}])"),
        "sidecarPort must not be 2733 or 2734, which the sidecar has already: choose another from 1024 to 65535",
    )])
}

pub(crate) fn verification() -> Value {
    json!([
        at(
            ".path",
            "!has(self.path) || self.path == '' || self.path.startsWith('/')",
            "path must begin with a slash: write what follows the base URL, like /models",
        ),
        at(
            ".path",
            "!has(self.path) || (!self.path.contains('${') && !self.path.contains('#'))",
            "path must hold neither ${...} nor #: it is sent as it is written",
        ),
    ])
}

pub(crate) fn refresh_on() -> Value {
    rules([(
        "has(self.bodyPath) == has(self.bodyEquals)".to_owned(),
        "bodyPath and bodyEquals go together: write both, or the status alone",
    )])
}

pub(crate) fn label_requirement() -> Value {
    json!([
        at(
            ".values",
            "!(self.operator in ['In', 'NotIn']) || (has(self.values) && self.values.size() > 0)",
            "values must have at least one value for In and NotIn",
        ),
        at(
            ".values",
            "self.operator in ['In', 'NotIn'] || !has(self.values) || self.values.size() == 0",
            "values must be left out for Exists and DoesNotExist",
        ),
    ])
}

pub(crate) fn one_method() -> Value {
    let has = |(name, _)| format!("has(self.{name})");
    let members = Auth::default().members().map(has).join(", ");
    rules([(
        format!("[{members}].filter(chosen, chosen).size() == 1"),
        &*format!("auth {}", Auth::takes()),
    )])
}

/// Rules about a text that may turn out to be a secret stand at the object
/// around it: the API server quotes the text that breaks a rule, in its answer
/// and in its audit log, but never an object.
pub(crate) fn api_key() -> Value {
    let of = |place: &str, rule: String| {
        format!("self.__in__ != '{place}' || !has(self.name) || {rule}")
    };
    json!([
        at(
            ".name",
            "self.__in__ == 'Path' || has(self.name)",
            NAME_MISSING
        ),
        at(
            ".name",
            "self.__in__ != 'Path' || !has(self.name)",
            NAME_IN_PATH
        ),
        at(".name", &of("Header", is_token("self.name")), NOT_A_TOKEN),
        at(".name", &of("Header", is_free("self.name")), RESERVED_NAME),
        at(".name", &of("Cookie", is_token("self.name")), NOT_A_COOKIE),
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

pub(crate) fn aws_sig_v4() -> Value {
    let one_line = |member: &str| {
        let rule = one_line_of(&format!("self.{member}"));
        let message = format!("{member} must be one line");
        at(&format!(".{member}"), &rule, &message)
    };
    let mut rules = vec![
        from_secret("secretAccessKey", "secret-access-key", "key"),
        optional_from_secret("sessionToken", "session-token", "key"),
    ];
    let members = ["region", "service", "accessKeyId", "secretAccessKey"];
    rules.extend(members.map(one_line));
    rules.push(at(
        ".sessionToken",
        &format!(
            "!has(self.sessionToken) || {}",
            one_line_of("self.sessionToken")
        ),
        "sessionToken must be one line",
    ));
    Value::Array(rules)
}

pub(crate) fn token() -> Value {
    json!([
        at(
            ".url",
            "self.url.startsWith('https://') || self.url.startsWith('http://') || self.url.startsWith('${')",
            "url must begin with https:// (or with http://, where allowInsecureHttp is set)",
        ),
        at(
            ".body",
            "!has(self.body) || !has(self.bodyFormat) || self.bodyFormat in ['Json', 'Raw']",
            "body is used only with bodyFormat: Json or Raw: write one of them, or params instead of body",
        ),
        at(
            ".body",
            "!has(self.bodyFormat) || self.bodyFormat != 'Raw' || has(self.body)",
            "body is required by bodyFormat: Raw: write the whole body",
        ),
    ])
}

pub(crate) fn token_client() -> Value {
    json!([optional_from_secret("secret", "client-secret", "secret")])
}

pub(crate) fn oauth2_password() -> Value {
    json!([from_secret("password", "password", "password")])
}

pub(crate) fn oauth2_refresh_token() -> Value {
    json!([from_secret("refreshToken", "refresh-token", "token")])
}

pub(crate) fn token_exchange() -> Value {
    json!([
        at(
            ".subjectToken",
            &format!("!has(self.subjectToken) || self.subjectToken.matches('{SECRET_REFERENCE}')"),
            "subjectToken must come from the Secret, such as \"${secret.subject-token}\": \
             whoever may read this object could read a token that is written here",
        ),
        {
            "rule": "has(self.subjectToken) != has(self.serviceAccountToken)",
            "message": "tokenExchange takes exactly one of subjectToken, such as \"${secret.subject-token}\", \
                and serviceAccountToken",
        },
        at(
            ".token.body",
            "!has(self.serviceAccountToken) || !has(self.token.body)",
            "token.body cannot be written beside serviceAccountToken, which is sent as the field \
             subject_token: write params instead",
        ),
    ])
}

/// The feed's audience is for kubelets alone: whoever holds a token for it might
/// be taken for a sidecar.
pub(crate) fn service_account_token() -> Value {
    json!([
        at(
            ".audience",
            &format!("self.audience != '{AUDIENCE}'"),
            OWN_AUDIENCE
        ),
        at(
            ".audience",
            "!self.audience.matches('[\\\\x00-\\\\x20\\\\x7f]')",
            "audience must be one word, without white space: what the provider demands of the claim aud",
        ),
    ])
}

const OWN_AUDIENCE: &str = "audience must not be credence, which is that of the feed: write the one that the provider demands";

pub(crate) fn jwt() -> Value {
    json!([
        optional_from_secret("key", "private-key", "key"),
        at(
            ".backdateSeconds",
            "self.backdateSeconds < self.lifetimeSeconds",
            "backdateSeconds must be less than lifetimeSeconds: the JWT would be over before it is sent",
        ),
    ])
}

pub(crate) fn token_placement() -> Value {
    json!([
        at(
            ".name",
            "self.__in__ in ['Header', 'None'] || has(self.name)",
            "name is required: write the name of the query parameter or cookie",
        ),
        at(
            ".name",
            "self.__in__ != 'None' || (!has(self.name) && !has(self.prefix))",
            "name and prefix are not used for None: remove them, and write ${token} into headers or query",
        ),
    ])
}

/// A rule of an object about a field that must not hold a secret itself. Its
/// message names a key that may be in the Secret, and what could be read.
fn from_secret(field: &str, key: &str, noun: &str) -> Value {
    let rule = format!("self.{field}.matches('{SECRET_REFERENCE}')");
    at(&format!(".{field}"), &rule, &literal(field, key, noun))
}

/// The same about a field that may be left out.
fn optional_from_secret(field: &str, key: &str, noun: &str) -> Value {
    let rule = format!("!has(self.{field}) || self.{field}.matches('{SECRET_REFERENCE}')");
    at(&format!(".{field}"), &rule, &literal(field, key, noun))
}

fn literal(field: &str, key: &str, noun: &str) -> String {
    format!(
        "{field} must come from the Secret, such as \"${{secret.{key}}}\": \
         whoever may read this object could read a {noun} that is written here"
    )
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
const NOT_A_COOKIE: &str =
    "name cannot be the name of a cookie: write letters, digits and any of !#$%&'*+-.^_`|~";
const NAME_MISSING: &str =
    "name is required: write the name of the header, query parameter, cookie or member of the body";
const NAME_IN_PATH: &str =
    "name is not used for Path, where value becomes part of the path itself: remove it";
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
