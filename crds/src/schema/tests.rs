use serde_json::Map;

use super::*;

fn definition_as_json() -> Value {
    serde_json::to_value(definition()).unwrap()
}

fn cluster_definition_as_json() -> Value {
    serde_json::to_value(cluster_definition()).unwrap()
}

fn properties_of(mut definition: Value) -> Value {
    definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"].take()
}

fn properties() -> Value {
    properties_of(definition_as_json())
}

/// Calls `look` with the path and the content of every schema below.
fn walk(path: &str, schema: &Map<String, Value>, look: &mut impl FnMut(&str, &Map<String, Value>)) {
    look(path, schema);
    for nested in ["items", "additionalProperties"] {
        if let Some(Value::Object(schema)) = schema.get(nested) {
            walk(&format!("{path}[]"), schema, look);
        }
    }
    if let Some(Value::Object(properties)) = schema.get("properties") {
        for (name, schema) in properties {
            walk(&format!("{path}.{name}"), schema.as_object().unwrap(), look);
        }
    }
}

fn walk_all(mut look: impl FnMut(&str, &Map<String, Value>)) {
    for part in ["spec", "status"] {
        walk(part, properties()[part].as_object().unwrap(), &mut look);
    }
}

#[test]
fn the_committed_definitions_are_the_generated_ones() {
    for (committed, generated) in [
        (
            include_str!("../../yaml/apicollections.yaml"),
            definition_as_json(),
        ),
        (
            include_str!("../../yaml/clusterapicollections.yaml"),
            cluster_definition_as_json(),
        ),
    ] {
        let committed: Value = serde_yaml::from_str(committed).unwrap();
        assert!(
            committed == generated,
            "crds/yaml does not match the types: run \"make generate\""
        );
    }
}

#[test]
fn a_cluster_collection_says_the_same_but_for_its_namespaces() {
    let mut cluster = properties_of(cluster_definition_as_json())["spec"].take();
    let mut namespaced = properties()["spec"].take();
    let members = |spec: &mut Value| spec["properties"].as_object_mut().unwrap().clone();
    let mut of_cluster = members(&mut cluster);
    assert!(of_cluster.remove("namespaceSelector").is_some());
    let names = |members: &Map<String, Value>| members.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&of_cluster), names(&members(&mut namespaced)));
    let accounts = &of_cluster["access"]["properties"]["serviceAccounts"];
    let pattern = accounts["items"]["pattern"].as_str().unwrap();
    assert!(pattern.contains('/'), "{pattern}");
    let rules = |spec: &Value| spec["x-kubernetes-validations"].as_array().unwrap().len();
    assert_eq!(rules(&cluster), rules(&namespaced));
}

#[test]
fn everything_that_users_write_is_bounded_and_described() {
    for definition in [definition_as_json(), cluster_definition_as_json()] {
        let spec = properties_of(definition)["spec"].take();
        bounded_and_described(spec.as_object().unwrap());
    }
}

fn bounded_and_described(spec: &Map<String, Value>) {
    walk("spec", spec, &mut |path, schema| {
        if schema.contains_key("x-kubernetes-preserve-unknown-fields") {
            // Whatever it holds is a value of a bounded map, which the whole
            // object's size bounds.
            let json = [
                "token.params[]",
                "token.refresh.params[]",
                "token.steps[].params[]",
                "jwt.claims[]",
                "jwt.headers[]",
                "assertion.claims[]",
                "assertion.headers[]",
            ];
            assert!(json.iter().any(|end| path.ends_with(end)), "{path}");
            return;
        }
        let bound = match schema["type"].as_str().unwrap() {
            "string" => "maxLength",
            "array" => "maxItems",
            "integer" => "maximum",
            "object" if schema.contains_key("additionalProperties") => "maxProperties",
            "object" | "boolean" => "type",
            other => panic!("{path} is of type {other}"),
        };
        let closed = schema.contains_key("enum");
        assert!(
            closed || schema.contains_key(bound),
            "{path} has no {bound}"
        );
        let item = path.ends_with("[]");
        assert!(
            item || schema.contains_key("description"),
            "{path} is not described"
        );
    });
}

#[test]
fn no_field_has_an_underscore_and_none_may_be_null() {
    walk_all(|path, schema| {
        assert!(!path.contains('_'), "{path}");
        let root = path == "status";
        assert!(root || !schema.contains_key("nullable"), "{path}");
        let numbers = schema.get("format").and_then(Value::as_str);
        assert!(
            !numbers.is_some_and(|format| format.starts_with("uint")),
            "{path}"
        );
    });
}

/// Lines about the blocks `token` and `jwt`, which are the same in every method
/// that has them, once.
fn with_tokens_once(lines: Vec<String>) -> Vec<String> {
    let once = lines.into_iter().map(|line| {
        match (line.split_once(".token."), line.split_once(".jwt.")) {
            (Some((_, rest)), _) => format!("spec.auth.*.token.{rest}"),
            (None, Some((_, rest))) => format!("spec.auth.*.jwt.{rest}"),
            (None, None) => line,
        }
    });
    let mut once: Vec<String> = once.collect();
    once.sort();
    once.dedup();
    once
}

#[test]
fn lists_are_merged_by_what_names_their_items() {
    let mut lists = Vec::new();
    walk_all(|path, schema| {
        if schema.get("type").is_some_and(|kind| kind == "array") {
            let keys = schema
                .get("x-kubernetes-list-map-keys")
                .map(|keys| keys[0].to_string());
            let kind = schema["x-kubernetes-list-type"]
                .as_str()
                .unwrap()
                .to_owned();
            lists.push(format!("{path} {}", keys.unwrap_or(kind)));
        }
    });
    let lists = with_tokens_once(lists);
    assert_eq!(
        lists,
        [
            "spec.access.serviceAccounts set",
            "spec.auth.*.jwt.scopes set",
            "spec.auth.*.token.client.assertion.scopes set",
            "spec.auth.*.token.headers \"name\"",
            "spec.auth.*.token.refresh.headers \"name\"",
            "spec.auth.*.token.refresh.response.capture \"name\"",
            "spec.auth.*.token.refresh.urlAllow set",
            "spec.auth.*.token.response.capture \"name\"",
            "spec.auth.*.token.scopes set",
            "spec.auth.*.token.steps \"name\"",
            "spec.auth.*.token.steps[].capture \"name\"",
            "spec.auth.*.token.steps[].headers \"name\"",
            "spec.auth.*.token.steps[].urlAllow set",
            "spec.auth.*.token.urlAllow set",
            "spec.baseUrlAllow set",
            "spec.headers \"name\"",
            "spec.query \"name\"",
            "spec.refreshOn atomic",
            "spec.verification.expectStatus set",
            "status.conditions \"type\"",
            "status.environments \"name\"",
            "status.feeds \"replica\"",
            "status.feeds[].rejected \"revision\"",
            "status.feeds[].revisions set",
        ]
    );
}

#[test]
fn defaults_are_those_of_the_reference() {
    let mut defaults = Vec::new();
    walk_all(|path, schema| {
        if let Some(default) = schema.get("default") {
            defaults.push(format!("{path} {default}"));
        }
    });
    let defaults = with_tokens_once(defaults);
    assert_eq!(
        defaults,
        [
            "spec.auth.*.jwt.backdateSeconds 60",
            "spec.auth.*.jwt.keyFormat \"Auto\"",
            "spec.auth.*.jwt.lifetimeSeconds 300",
            "spec.auth.*.token.client.assertion.backdateSeconds 60",
            "spec.auth.*.token.client.assertion.keyFormat \"Auto\"",
            "spec.auth.*.token.client.assertion.lifetimeSeconds 300",
            "spec.auth.*.token.lifetime.graceSeconds 0",
            "spec.auth.*.token.lifetime.refreshBeforeSeconds 60",
            "spec.auth.*.token.method \"POST\"",
            "spec.auth.*.token.mtls false",
            "spec.auth.*.token.placement.in \"Header\"",
            "spec.auth.*.token.refresh.response.accessTokenPath \"access_token\"",
            "spec.auth.*.token.refresh.response.expiresKind \"Auto\"",
            "spec.auth.*.token.refresh.response.expiresPath \"expires_in\"",
            "spec.auth.*.token.refresh.response.refreshTokenPath \"refresh_token\"",
            "spec.auth.*.token.response.accessTokenPath \"access_token\"",
            "spec.auth.*.token.response.expiresKind \"Auto\"",
            "spec.auth.*.token.response.expiresPath \"expires_in\"",
            "spec.auth.*.token.response.refreshTokenPath \"refresh_token\"",
            "spec.auth.*.token.scopeSeparator \" \"",
            "spec.auth.*.token.steps[].method \"POST\"",
            "spec.auth.awsSigV4.payload \"Auto\"",
            "spec.auth.basic.password \"${secret.password}\"",
            "spec.auth.basic.username \"${secret.username}\"",
            "spec.auth.oauth2Password.password \"${secret.password}\"",
            "spec.auth.oauth2Password.username \"${secret.username}\"",
            "spec.auth.oauth2RefreshToken.refreshToken \"${secret.refresh-token}\"",
            "spec.auth.signedJwt.placement.in \"Header\"",
            "spec.auth.tokenExchange.serviceAccountToken.expirationSeconds 3600",
            "spec.development.allowInsecureHttp false",
            "spec.development.allowPrivateNetworks false",
            "spec.development.caRef.key \"ca.crt\"",
            "spec.developmentFallback \"Deny\"",
            "spec.forwarding.forwarded false",
            "spec.forwarding.rewriteLocation true",
            "spec.forwarding.via true",
            "spec.headers[].onConflict \"Replace\"",
            "spec.live.allowInsecureHttp false",
            "spec.live.allowPrivateNetworks false",
            "spec.live.caRef.key \"ca.crt\"",
            "spec.query[].onConflict \"Replace\"",
            "spec.timeouts.connectSeconds 10",
            "spec.timeouts.firstByteSeconds 600",
            "spec.timeouts.idleSeconds 300",
            "spec.verification.expectStatus [200]",
            "spec.verification.intervalMinutes 60",
            "spec.verification.method \"GET\"",
        ]
    );
}

#[test]
fn the_table_shows_what_operators_ask_first() {
    let columns = definition_as_json()["spec"]["versions"][0]["additionalPrinterColumns"].take();
    let columns: Vec<String> = columns
        .as_array()
        .unwrap()
        .iter()
        .map(|column| {
            format!(
                "{} {}",
                column["name"].as_str().unwrap(),
                column["priority"]
            )
        })
        .collect();
    assert_eq!(
        columns,
        [
            "Environment null",
            "Method null",
            "Ready null",
            "Reason 1",
            "Expires null",
            "Sidecars null",
            "Age null",
        ]
    );
}
