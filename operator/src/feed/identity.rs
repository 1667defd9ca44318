//! Who shows a token, by what the API server says about it.

use std::collections::BTreeMap;

use credence_core::names::AUDIENCE;
use k8s_openapi::api::authentication::v1::TokenReviewStatus;

use super::refusal::Refusal;

/// Keys of `extra` (Kubernetes, `pkg/authentication/serviceaccount/util.go`).
const POD_NAME: &str = "authentication.kubernetes.io/pod-name";
const POD_UID: &str = "authentication.kubernetes.io/pod-uid";
const CREDENTIAL_ID: &str = "authentication.kubernetes.io/credential-id";
/// What the user name of a ServiceAccount begins with.
const SERVICE_ACCOUNT: &str = "system:serviceaccount:";

/// A pod, as its bound token names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The pod's namespace.
    pub namespace: String,
    /// The ServiceAccount that the token was issued to.
    pub service_account: String,
    /// The pod's name.
    pub pod: String,
    /// The pod's uid.
    pub pod_uid: String,
    /// The token's id, which the API server's audit log has too.
    pub credential_id: Option<String>,
}

/// Reads the API server's answer about a token.
///
/// # Errors
/// The reason why the token names no pod of ours.
pub fn identify(status: &TokenReviewStatus) -> Result<Identity, Refusal> {
    if status.authenticated != Some(true) {
        return Err(Refusal::NotAuthenticated);
    }
    // An authenticator that knows no audiences answers without any; the API's
    // documentation demands this check.
    let audiences = status.audiences.as_deref().unwrap_or_default();
    if !audiences.iter().any(|audience| audience == AUDIENCE) {
        return Err(Refusal::WrongAudience);
    }
    let user = status.user.as_ref().ok_or(Refusal::NotAuthenticated)?;
    let (namespace, service_account) = user
        .username
        .as_deref()
        .and_then(|name| name.strip_prefix(SERVICE_ACCOUNT))
        .and_then(|rest| rest.split_once(':'))
        .filter(|(namespace, account)| {
            !namespace.is_empty() && !account.is_empty() && !account.contains(':')
        })
        .ok_or(Refusal::NotAServiceAccount)?;
    let empty = BTreeMap::new();
    let extra = user.extra.as_ref().unwrap_or(&empty);
    let one = |key: &str| match extra.get(key).map(Vec::as_slice) {
        Some([value]) if !value.is_empty() => Some(value.clone()),
        _ => None,
    };
    Ok(Identity {
        namespace: namespace.to_owned(),
        service_account: service_account.to_owned(),
        pod: one(POD_NAME).ok_or(Refusal::NotBound)?,
        pod_uid: one(POD_UID).ok_or(Refusal::NotBound)?,
        credential_id: one(CREDENTIAL_ID),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn review() -> Value {
        json!({
            "authenticated": true,
            "audiences": ["credence"],
            "user": {
                "username": "system:serviceaccount:shop:checkout",
                "extra": {POD_NAME: ["web-0"], POD_UID: ["u"], CREDENTIAL_ID: ["JTI=j"]},
            },
        })
    }

    fn identified(review: Value) -> Result<Identity, Refusal> {
        identify(&serde_json::from_value(review).unwrap())
    }

    #[test]
    fn a_bound_token_names_a_pod() {
        assert_eq!(
            identified(review()),
            Ok(Identity {
                namespace: "shop".to_owned(),
                service_account: "checkout".to_owned(),
                pod: "web-0".to_owned(),
                pod_uid: "u".to_owned(),
                credential_id: Some("JTI=j".to_owned()),
            })
        );
    }

    #[test]
    fn whatever_is_missing_refuses() {
        let cases = [
            ("/authenticated", json!(false), Refusal::NotAuthenticated),
            ("/authenticated", Value::Null, Refusal::NotAuthenticated),
            (
                "/audiences",
                json!(["https://kubernetes.default.svc"]),
                Refusal::WrongAudience,
            ),
            ("/audiences", json!([]), Refusal::WrongAudience),
            ("/audiences", Value::Null, Refusal::WrongAudience),
            (
                "/user/username",
                json!("admin"),
                Refusal::NotAServiceAccount,
            ),
            (
                "/user/username",
                json!("system:serviceaccount:shop"),
                Refusal::NotAServiceAccount,
            ),
            (
                "/user/username",
                json!("system:serviceaccount::a"),
                Refusal::NotAServiceAccount,
            ),
            (
                "/user/username",
                json!("system:serviceaccount:shop:"),
                Refusal::NotAServiceAccount,
            ),
            (
                "/user/username",
                json!("system:serviceaccount:a:b:c"),
                Refusal::NotAServiceAccount,
            ),
            ("/user/extra", json!({POD_UID: ["u"]}), Refusal::NotBound),
            ("/user/extra", json!({POD_NAME: ["p"]}), Refusal::NotBound),
            (
                "/user/extra",
                json!({POD_NAME: ["p", "q"], POD_UID: ["u"]}),
                Refusal::NotBound,
            ),
            ("/user/extra", Value::Null, Refusal::NotBound),
        ];
        for (pointer, value, refusal) in cases {
            let mut review = review();
            *review.pointer_mut(pointer).unwrap() = value.clone();
            assert_eq!(identified(review), Err(refusal), "{pointer} = {value}");
        }
    }
}
