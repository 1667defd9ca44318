//! What the documentation of each provider demands of a request for a token.

use crate::demands::Demand;

/// One request, and its answer. In texts `{KEY}` is that key of the environment's
/// Secret, `{values.NAME}` one of its values, `{token}` the token, and `{host}`
/// where the call arrives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grant {
    /// The folder.
    pub(crate) folder: &'static str,
    /// Where it must arrive, in development and in live.
    pub(crate) hosts: [&'static str; 2],
    /// The target that must arrive, by POST.
    pub(crate) target: &'static str,
    /// The body.
    pub(crate) content: Content,
    /// What else must arrive.
    pub(crate) demands: &'static [Demand],
    /// What the provider answers.
    pub(crate) answer: &'static str,
}

/// The body of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Content {
    /// These fields, and no other.
    Form(&'static [(&'static str, &'static str)]),
    /// This value.
    Json(&'static str),
}

/// What a client sends in `Authorization`.
const BASIC: Demand = Demand::Basic("{client-id}", "{client-secret}");

/// All of them.
pub(crate) const GRANTS: &[Grant] = &[
    Grant {
        folder: "salesforce",
        hosts: [
            "yourcompany--dev.sandbox.my.salesforce.com",
            "yourcompany.my.salesforce.com",
        ],
        target: "/services/oauth2/token",
        content: Content::Form(&[
            ("grant_type", "client_credentials"),
            ("client_id", "{consumer-key}"),
            ("client_secret", "{consumer-secret}"),
        ]),
        demands: &[],
        answer: r#"{"access_token": "{token}", "signature": "c2ln", "scope": "api",
            "instance_url": "https://{host}", "id": "https://login.salesforce.com/id/00D/005",
            "token_type": "Bearer", "issued_at": "1767225600000"}"#,
    },
    Grant {
        folder: "zoom",
        hosts: ["zoom.us"; 2],
        target: "/oauth/token",
        content: Content::Form(&[
            ("grant_type", "account_credentials"),
            ("account_id", "{values.account}"),
        ]),
        demands: &[BASIC],
        answer: r#"{"access_token": "{token}", "token_type": "bearer", "expires_in": 3599,
            "scope": "user:read:admin", "api_url": "https://api.zoom.us"}"#,
    },
    Grant {
        folder: "paypal",
        hosts: ["api-m.sandbox.paypal.com", "api-m.paypal.com"],
        target: "/v1/oauth2/token",
        content: Content::Form(&[("grant_type", "client_credentials")]),
        demands: &[BASIC],
        answer: r#"{"scope": "https://uri.paypal.com/services/invoicing", "access_token": "{token}",
            "token_type": "Bearer", "app_id": "APP-80W", "expires_in": 31668, "nonce": "2020Z"}"#,
    },
    Grant {
        folder: "microsoft-graph",
        hosts: ["login.microsoftonline.com"; 2],
        target: "/{values.tenant}/oauth2/v2.0/token",
        content: Content::Form(&[
            ("grant_type", "client_credentials"),
            ("client_id", "{client-id}"),
            ("client_secret", "{client-secret}"),
            ("scope", "https://graph.microsoft.com/.default"),
        ]),
        demands: &[],
        answer: r#"{"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599,
            "access_token": "{token}"}"#,
    },
    Grant {
        folder: "amazon-sp-api",
        hosts: ["api.amazon.com"; 2],
        target: "/auth/o2/token",
        content: Content::Form(&[
            ("grant_type", "refresh_token"),
            ("refresh_token", "{refresh-token}"),
            ("client_id", "{client-id}"),
            ("client_secret", "{client-secret}"),
        ]),
        demands: &[],
        answer: r#"{"access_token": "{token}", "token_type": "bearer", "expires_in": 3600,
            "refresh_token": "{refresh-token}"}"#,
    },
    Grant {
        folder: "tableau",
        hosts: ["your-pod.online.tableau.com"; 2],
        target: "/api/3.24/auth/signin",
        content: Content::Json(
            r#"{"credentials": {
                "personalAccessTokenName": "{values.tokenName}",
                "personalAccessTokenSecret": "{token-secret}",
                "site": {"contentUrl": "{values.site}"}}}"#,
        ),
        demands: &[Demand::Header("accept", "application/json")],
        answer: r#"{"credentials": {"site": {"id": "s-1", "contentUrl": "{values.site}"},
            "user": {"id": "u-1"}, "token": "{token}", "estimatedTimeToExpiration": "0:03:59"}}"#,
    },
    Grant {
        folder: "custom-token",
        hosts: ["auth.example.com"; 2],
        target: "/v1/sessions",
        content: Content::Json(
            r#"{"login": {"user": "{user}", "password": "{password}"}, "remember": true}"#,
        ),
        demands: &[Demand::Header("x-app-id", "{values.appId}")],
        answer: r#"{"session": {"token": "{token}", "validSeconds": 1800}}"#,
    },
    Grant {
        folder: "google-workload-identity",
        hosts: ["sts.googleapis.com"; 2],
        target: "/v1/token",
        content: Content::Form(&[
            (
                "grant_type",
                "urn:ietf:params:oauth:grant-type:token-exchange",
            ),
            (
                "audience",
                "//iam.googleapis.com/projects/YOUR-PROJECT-NUMBER/locations/global/\
                 workloadIdentityPools/YOUR-POOL/providers/YOUR-PROVIDER",
            ),
            ("scope", "https://www.googleapis.com/auth/cloud-platform"),
            (
                "requested_token_type",
                "urn:ietf:params:oauth:token-type:access_token",
            ),
            (
                "subject_token",
                "of reports in shop for https://iam.googleapis.com/projects/YOUR-PROJECT-NUMBER/\
                 locations/global/workloadIdentityPools/YOUR-POOL/providers/YOUR-PROVIDER",
            ),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
        ]),
        demands: &[],
        answer: r#"{"access_token": "{token}", "token_type": "Bearer", "expires_in": 3599,
            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token"}"#,
    },
    Grant {
        folder: "adp",
        hosts: ["accounts.adp.com"; 2],
        target: "/auth/oauth/v2/token",
        content: Content::Form(&[("grant_type", "client_credentials")]),
        demands: &[BASIC, Demand::Certificate],
        answer: r#"{"access_token": "{token}", "token_type": "Bearer", "expires_in": 3600,
            "scope": "api"}"#,
    },
];
