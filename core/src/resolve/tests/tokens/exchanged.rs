//! Tokens that are obtained for other tokens.

use std::time::Duration;

use super::*;
use crate::collection::{AccountSettings, Subject};
use crate::token::AccountToken;

const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

pub(super) fn exchange() -> Flow {
    Flow::TokenExchange {
        subject: Subject::Held(template("${secret.refresh}")),
        subject_token_type: JWT.to_owned(),
    }
}

pub(in super::super) fn account() -> Flow {
    of_account(&settings_of_account())
}

fn of_account(settings: &AccountSettings) -> Flow {
    Flow::TokenExchange {
        subject: Subject::ServiceAccount(settings.clone()),
        subject_token_type: JWT.to_owned(),
    }
}

fn settings_of_account() -> AccountSettings {
    AccountSettings {
        name: "reporter".to_owned(),
        audience: "https://sts.test".to_owned(),
        lifetime: Duration::from_secs(600),
    }
}

/// The order for a token of that ServiceAccount, in that namespace.
fn order_in(namespace: &str, flow: Flow) -> Order {
    let material = Material {
        accounts_in: Some(namespace.to_owned()),
        ..with_dev(secret(&HELD))
    };
    let resolved = in_development(&with_token(token_method(flow)), &material);
    resolved.unwrap().order.unwrap()
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

/// RFC 8693 §2.1. The token itself comes when it is asked for.
#[test]
fn a_token_of_a_service_account_is_named_by_the_order_and_filled_in_when_it_is_sent() {
    let order = order_in("shop", account());
    let settings = settings_of_account();
    let expected = AccountToken {
        namespace: "shop".to_owned(),
        name: settings.name,
        audience: settings.audience,
        lifetime: settings.lifetime,
    };
    assert_eq!(order.subject.as_ref(), Some(&expected));
    let moment = Moment {
        unix_seconds: 0,
        random: [0; 16],
    };
    let without = LateValues::at(moment);
    let missing = asked(&order).message(&without, false).unwrap_err();
    assert_eq!(missing.to_string(), "${subject token} has no value yet");
    let issued = Secret::new("acc.ou.nt");
    let with = LateValues {
        subject_token: Some(&issued),
        ..without
    };
    assert_eq!(
        body(&asked(&order).message(&with, false).unwrap()),
        Some(
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange\
             &subject_token=acc.ou.nt&subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Ajwt"
        )
    );
}

/// A token in use, or a refresh token, must not outlive whom it was obtained
/// for.
#[test]
fn a_token_of_another_service_account_is_another_order_of_another_lineage() {
    let base = settings_of_account();
    let name = AccountSettings {
        name: "writer".to_owned(),
        ..base.clone()
    };
    let audience = AccountSettings {
        audience: "https://other.test".to_owned(),
        ..base.clone()
    };
    let terms = |namespace: &str, settings: &AccountSettings| {
        order_in(namespace, of_account(settings)).terms
    };
    let before = terms("shop", &base);
    assert_eq!(before, terms("shop", &base));
    for (what, other) in [
        ("namespace", terms("crm", &base)),
        ("name", terms("shop", &name)),
        ("audience", terms("shop", &audience)),
        ("kind", order_in("shop", exchange()).terms),
    ] {
        assert_ne!(other.order, before.order, "{what}");
        assert_ne!(other.identity, before.identity, "{what}");
        assert_ne!(other.lineage, before.lineage, "{what}");
    }
    let longer = AccountSettings {
        lifetime: Duration::from_secs(3600),
        ..base
    };
    let longer = terms("shop", &longer);
    assert_ne!(longer.order, before.order);
    assert_eq!(longer.identity, before.identity);
    assert_eq!(longer.lineage, before.lineage);
}

/// In a namespace of its own, the ServiceAccounts are of its environment.
#[test]
fn one_account_for_both_environments_serves_development_only_where_the_collection_says_so() {
    let material = Material {
        accounts_in: Some("credentials".to_owned()),
        ..Material::default()
    };
    let mut method = token_method(account());
    method.client = None;
    let of = |scope: Scope, development: Option<Settings>| {
        let collection = Collection {
            scope,
            live: Some(Settings::default()),
            development,
            ..with_token(method.clone())
        };
        let reason = |environment| {
            let resolved = resolve(&collection, environment, &material, now());
            resolved.err().map(|unresolved| unresolved.reason)
        };
        [reason(Environment::Live), reason(Environment::Development)]
    };
    let cluster = Scope::Cluster {
        namespaces: None,
        service_accounts: None,
    };
    let missing = Some(Reason::EnvironmentMissing);
    assert_eq!(of(cluster.clone(), None), [None, missing]);
    assert_eq!(of(cluster, Some(Settings::default())), [None, None]);
    let namespace = Scope::Namespace {
        service_accounts: None,
    };
    assert_eq!(of(namespace, None), [None, None]);
}
