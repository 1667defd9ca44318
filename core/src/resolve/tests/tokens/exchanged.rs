//! Tokens that are obtained for other tokens.

use super::*;

pub(super) fn exchange() -> Flow {
    Flow::TokenExchange {
        subject_token: template("${secret.refresh}"),
        subject_token_type: "urn:ietf:params:oauth:token-type:jwt".to_owned(),
    }
}

/// RFC 8693 §2.1.
#[test]
fn a_token_is_exchanged_as_the_standard_has_it() {
    let mut method = token_method(exchange());
    method.request.audience = Some(template("https://partner.test"));
    method.request.scopes = vec![template("read")];
    method.request.params = vec![text_field("resource", "https://api.test/")];
    let order = order(method);
    assert_eq!(
        body(&message(asked(&order))),
        Some(
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange\
             &subject_token=r3fresh&subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Ajwt\
             &scope=read&audience=https%3A%2F%2Fpartner.test&resource=https%3A%2F%2Fapi.test%2F"
        )
    );
    assert_eq!(order.refresh, None);
    assert!(!format!("{order:?}").contains("r3fresh"));
}

#[test]
fn another_subject_token_is_another_order() {
    let with = |subject: &str| {
        let mut held = HELD.to_vec();
        held.retain(|(key, _)| *key != "refresh");
        held.push(("refresh", subject));
        let collection = with_token(token_method(exchange()));
        let resolved = in_development(&collection, &with_dev(secret(&held)));
        resolved.unwrap().order.unwrap().terms.order
    };
    assert_eq!(with("a"), with("a"));
    assert_ne!(with("a"), with("b"));
}
