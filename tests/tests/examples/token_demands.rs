//! What the documentation of each provider demands of whoever wants a token.

use std::collections::BTreeMap;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use percent_encoding::percent_decode_str;
use rcgen::{KeyPair, PublicKeyData as _};

use crate::demands::{Case, Demand};
use crate::judge::Known;
use crate::jwt::Jwt;
use crate::provider::Arrived;

/// A call with a token, of which `{token}` stands for the value.
pub(crate) struct TokenCase {
    pub(crate) case: Case,
    pub(crate) source: Source,
}

/// Where the token comes from.
pub(crate) enum Source {
    /// A token endpoint.
    Endpoint(Endpoint),
    /// A signature: the API looks at it itself.
    Signature(fn(&str, &Known, &KeyPair) -> Result<(), String>),
}

/// What is asked, and what is answered to that. In its texts `{KEY}` is that key
/// of the Secret, and `{host}` the API's.
pub(crate) struct Endpoint {
    /// In development and in live.
    pub(crate) hosts: [&'static str; 2],
    pub(crate) target: &'static str,
    pub(crate) check: fn(&Arrived, &Known, &KeyPair) -> Result<(), String>,
    pub(crate) answer: &'static str,
}

/// A `POST` with a form (RFC 6749 Appendix B).
fn form(arrived: &Arrived) -> Result<BTreeMap<String, String>, String> {
    let kind = arrived.values("content-type");
    if arrived.method != "POST" || kind != ["application/x-www-form-urlencoded"] {
        return Err(format!("{} with {kind:?}", arrived.method));
    }
    let decoded = |text: &str| {
        let text = text.replace('+', " ");
        percent_decode_str(&text)
            .decode_utf8()
            .unwrap()
            .into_owned()
    };
    let pairs = arrived
        .body
        .split('&')
        .filter_map(|pair| pair.split_once('='));
    Ok(pairs
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect())
}

fn is(name: &str, found: Option<&String>, expected: &str) -> Result<(), String> {
    match found.is_some_and(|found| found == expected) {
        true => Ok(()),
        false => Err(format!("{name} is {found:?}, not {expected}")),
    }
}

/// RFC 7523 §2.1.
fn assertion(arrived: &Arrived, key: &KeyPair) -> Result<Jwt, String> {
    let form = form(arrived)?;
    let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    is("grant_type", form.get("grant_type"), grant)?;
    let jwt = form.get("assertion").ok_or("there is no assertion")?;
    Jwt::verified(jwt, "RS256", key)
}

fn google(arrived: &Arrived, known: &Known, key: &KeyPair) -> Result<(), String> {
    let file: serde_json::Value = serde_json::from_str(&known["key-file"]).unwrap();
    let jwt = assertion(arrived, key)?;
    jwt.heads("kid", file["private_key_id"].as_str().unwrap())?;
    jwt.claims("iss", file["client_email"].as_str().unwrap())?;
    jwt.claims("aud", "https://oauth2.googleapis.com/token")?;
    let scope = "https://www.googleapis.com/auth/devstorage.read_only";
    jwt.claims("scope", scope)?;
    jwt.lives(3600)
}

fn github(arrived: &Arrived, known: &Known, key: &KeyPair) -> Result<(), String> {
    let [agent] = arrived.values("user-agent")[..] else {
        return Err("there is no User-Agent".to_owned());
    };
    let accepted = arrived.values("accept");
    let version = arrived.values("x-github-api-version");
    if agent.is_empty() || accepted != ["application/vnd.github+json"] || version != ["2022-11-28"]
    {
        return Err(format!("Accept is {accepted:?}, the version {version:?}"));
    }
    if arrived.method != "POST" || !arrived.body.is_empty() {
        return Err(format!("{} {}", arrived.method, arrived.body));
    }
    let jwt = bearer(arrived)?;
    let jwt = Jwt::verified(jwt, "RS256", key)?;
    jwt.claims("iss", &known["values.clientId"])?;
    jwt.lives(600)
}

fn salesforce(arrived: &Arrived, known: &Known, key: &KeyPair) -> Result<(), String> {
    let jwt = assertion(arrived, key)?;
    jwt.claims("iss", &known["consumer-key"])?;
    jwt.claims("sub", &known["values.user"])?;
    jwt.claims("aud", &known["values.login"])?;
    jwt.lives(300)
}

fn docusign(arrived: &Arrived, known: &Known, key: &KeyPair) -> Result<(), String> {
    let jwt = assertion(arrived, key)?;
    jwt.claims("iss", &known["integration-key"])?;
    jwt.claims("sub", &known["user-id"])?;
    // Without a scheme.
    jwt.claims("aud", &known["values.auth"])?;
    jwt.claims("scope", "signature impersonation")?;
    jwt.lives(3600)
}

fn graph(arrived: &Arrived, known: &Known, key: &KeyPair) -> Result<(), String> {
    let form = form(arrived)?;
    let client = &known["values.clientId"];
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    is("grant_type", form.get("grant_type"), "client_credentials")?;
    is("client_id", form.get("client_id"), client)?;
    is(
        "client_assertion_type",
        form.get("client_assertion_type"),
        kind,
    )?;
    let scope = "https://graph.microsoft.com/.default";
    is("scope", form.get("scope"), scope)?;
    let jwt = form.get("client_assertion").ok_or("no client_assertion")?;
    let jwt = Jwt::verified(jwt, "PS256", key)?;
    let der: String = known["certificate"]
        .lines()
        .filter(|line| !line.starts_with('-'))
        .collect();
    let der = STANDARD.decode(der).unwrap();
    let thumbprint = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, &der));
    jwt.heads("x5t#S256", &thumbprint)?;
    let tenant = &known["values.tenant"];
    let url = format!("https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token");
    jwt.claims("aud", &url)?;
    jwt.claims("iss", client)?;
    jwt.claims("sub", client)?;
    match jwt.claims["jti"].as_str() {
        Some(id) if id.len() == 36 => jwt.lives(600),
        other => Err(format!("jti is {other:?}")),
    }
}

fn snowflake(jwt: &str, known: &Known, key: &KeyPair) -> Result<(), String> {
    let jwt = Jwt::verified(jwt, "RS256", key)?;
    let digest = digest::digest(&digest::SHA256, &key.subject_public_key_info());
    let (account, user) = (&known["values.account"], &known["values.user"]);
    let subject = format!("{account}.{user}").to_uppercase();
    let fingerprint = STANDARD.encode(digest);
    jwt.claims("sub", &subject)?;
    jwt.claims("iss", &format!("{subject}.SHA256:{fingerprint}"))?;
    jwt.lives(3600)
}

fn appstore(jwt: &str, known: &Known, key: &KeyPair) -> Result<(), String> {
    let jwt = Jwt::verified(jwt, "ES256", key)?;
    jwt.heads("kid", &known["key-id"])?;
    jwt.claims("iss", &known["issuer-id"])?;
    jwt.claims("aud", "appstoreconnect-v1")?;
    jwt.lives(1200)
}

/// The token of RFC 6750 §2.1.
fn bearer(arrived: &Arrived) -> Result<&str, String> {
    match arrived.values("authorization")[..] {
        [only] => only.strip_prefix("Bearer ").ok_or_else(|| only.to_owned()),
        ref several => Err(format!("authorization is {several:?}")),
    }
}

const BEARER: Demand = Demand::Header("authorization", "Bearer {token}");
const USUAL: &str = r#"{"access_token": "t0k-{host}", "token_type": "Bearer", "expires_in": 3599}"#;

/// All of them.
pub(crate) const CASES: &[TokenCase] = &[
    TokenCase {
        case: Case {
            folder: "google",
            call: ("GET", "/google/b/reports/o", None),
            hosts: ["storage.googleapis.com"; 2],
            target: "/storage/v1/b/reports/o",
            demands: &[BEARER],
        },
        source: Source::Endpoint(Endpoint {
            hosts: ["oauth2.googleapis.com"; 2],
            target: "/token",
            check: google,
            answer: USUAL,
        }),
    },
    TokenCase {
        case: Case {
            folder: "github",
            call: ("GET", "/github/installation/repositories", None),
            hosts: ["api.github.com"; 2],
            target: "/installation/repositories",
            demands: &[
                BEARER,
                Demand::Default("user-agent", "shop"),
                Demand::Default("x-github-api-version", "2022-11-28"),
            ],
        },
        source: Source::Endpoint(Endpoint {
            hosts: ["api.github.com"; 2],
            target: "/app/installations/{values.installationId}/access_tokens",
            check: github,
            answer: r#"{"token": "ghs_{host}", "expires_at": "2099-01-01T00:00:00Z", "permissions": {"contents": "read"}}"#,
        }),
    },
    TokenCase {
        case: Case {
            folder: "snowflake",
            call: (
                "POST",
                "/snowflake/statements",
                Some(("application/json", r#"{"statement": "select 1"}"#)),
            ),
            hosts: [
                "myorg-dev.snowflakecomputing.com",
                "myorg-live.snowflakecomputing.com",
            ],
            target: "/api/v2/statements",
            demands: &[
                BEARER,
                Demand::Header("x-snowflake-authorization-token-type", "KEYPAIR_JWT"),
                Demand::Default("accept", "application/json"),
                Demand::Default("user-agent", "shop/1.0"),
            ],
        },
        source: Source::Signature(snowflake),
    },
    TokenCase {
        case: Case {
            folder: "appstore",
            call: ("GET", "/appstore/apps", None),
            hosts: ["api.appstoreconnect.apple.com"; 2],
            target: "/v1/apps",
            demands: &[BEARER],
        },
        source: Source::Signature(appstore),
    },
    TokenCase {
        case: Case {
            folder: "salesforce-jwt",
            call: (
                "GET",
                "/salesforce-jwt/query?q=SELECT+Id+FROM+Account",
                None,
            ),
            hosts: [
                "acme--dev.sandbox.my.salesforce.com",
                "acme.my.salesforce.com",
            ],
            target: "/services/data/v62.0/query?q=SELECT+Id+FROM+Account",
            demands: &[BEARER],
        },
        source: Source::Endpoint(Endpoint {
            hosts: ["test.salesforce.com", "login.salesforce.com"],
            target: "/services/oauth2/token",
            check: salesforce,
            answer: r#"{"access_token": "00D!{host}", "instance_url": "https://{host}", "token_type": "Bearer"}"#,
        }),
    },
    TokenCase {
        case: Case {
            folder: "docusign",
            call: ("GET", "/docusign/accounts/1/envelopes", None),
            hosts: ["demo.docusign.net", "na3.docusign.net"],
            target: "/restapi/v2.1/accounts/1/envelopes",
            demands: &[BEARER],
        },
        source: Source::Endpoint(Endpoint {
            hosts: ["account-d.docusign.com", "account.docusign.com"],
            target: "/oauth/token",
            check: docusign,
            answer: USUAL,
        }),
    },
    TokenCase {
        case: Case {
            folder: "microsoft-graph-certificate",
            call: ("GET", "/microsoft-graph-certificate/users", None),
            hosts: ["graph.microsoft.com"; 2],
            target: "/v1.0/users",
            demands: &[BEARER],
        },
        source: Source::Endpoint(Endpoint {
            hosts: ["login.microsoftonline.com"; 2],
            target: "/{values.tenant}/oauth2/v2.0/token",
            check: graph,
            answer: USUAL,
        }),
    },
];
