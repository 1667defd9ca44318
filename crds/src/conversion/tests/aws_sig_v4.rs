//! Calls that are signed for AWS.

use credence_core::collection::SignedPayload::{Auto, Signed, Unsigned};

use super::*;

fn aws(other: Value) -> Value {
    let mut method = json!({
        "region": "${values.region}",
        "service": "s3",
        "accessKeyId": "${secret.id}",
        "secretAccessKey": "${secret.key}",
    });
    let Value::Object(other) = other else {
        panic!("{other}");
    };
    method.as_object_mut().unwrap().extend(other);
    json!({"auth": {"awsSigV4": method}})
}

#[test]
fn calls_are_signed_as_the_manifest_says() {
    for (other, payload, token) in [
        (json!({}), Auto, None),
        (json!({"payload": "Signed"}), Signed, None),
        (
            json!({"payload": "Unsigned", "sessionToken": "${secret.t}"}),
            Unsigned,
            Some("${secret.t}"),
        ),
    ] {
        let Method::AwsSigV4(signed) = collection(&aws(other)).method else {
            panic!("not signed");
        };
        assert_eq!(signed.payload, payload);
        assert_eq!(signed.session_token.as_ref().map(Template::as_str), token);
        assert_eq!(signed.region.as_str(), "${values.region}");
        assert_eq!(signed.secret_access_key.as_str(), "${secret.key}");
    }
}

#[test]
fn what_cannot_be_signed_with_is_refused() {
    for (spec, expected) in [
        (
            aws(json!({"secretAccessKey": "wJalr"})),
            "spec.auth.awsSigV4.secretAccessKey: must come from the Secret, such as \"${secret.secret-access-key}\"",
        ),
        (
            aws(json!({"sessionToken": "${values.token}"})),
            "spec.auth.awsSigV4.sessionToken: must come from the Secret, such as \"${secret.session-token}\"",
        ),
        (
            aws(json!({"accessKeyId": "${uuid}"})),
            "spec.auth.awsSigV4.accessKeyId: must not refer to ${uuid}, which is new on each call: it can be used \
             in headers, query, cookies and body",
        ),
        (
            aws(json!({"region": "eu/central"})),
            "spec.auth.awsSigV4.region: must not hold \"/\": write letters, digits and \"-\"",
        ),
        (
            aws(json!({"service": "${secret.service}"})),
            "spec.auth.awsSigV4.service: must not refer to a Secret: write ${values.NAME}",
        ),
    ] {
        assert_eq!(problems(&spec), [expected], "{spec}");
    }
}
