//! What the documentation of each provider demands of a call.

/// One thing that a request must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Demand {
    /// A header, whatever the caller sent in its place.
    Header(&'static str, &'static str),
    /// A header that a caller who knows better may send himself.
    Default(&'static str, &'static str),
    /// A UUID of its own (RFC 9562 version 4), unless the caller sends one.
    Uuid(&'static str),
    /// The client certificate of the environment.
    Certificate,
    /// A signature by the key of the environment (AWS Signature Version 4), for
    /// this service and region.
    Signature {
        service: &'static str,
        region: &'static str,
    },
    /// HTTP Basic with this user name and this password.
    Basic(&'static str, &'static str),
}

/// One call, and what must become of it. In texts `{KEY}` is that key of the
/// environment's Secret, and `{token}` the token that was obtained.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    /// The folder.
    pub(crate) folder: &'static str,
    /// What the app sends: method, path, body with its type.
    pub(crate) call: (
        &'static str,
        &'static str,
        Option<(&'static str, &'static str)>,
    ),
    /// Where it must arrive, in development and in live.
    pub(crate) hosts: [&'static str; 2],
    /// The target that must arrive.
    pub(crate) target: &'static str,
    /// What else must arrive.
    pub(crate) demands: &'static [Demand],
}

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// The token that was obtained, as most take it.
const BEARER: Demand = Demand::Header("authorization", "Bearer {token}");

/// All of them.
pub(crate) const CASES: &[Case] = &[
    Case {
        folder: "quickstart",
        call: ("GET", "/nasa/planetary/apod?count=1", None),
        hosts: ["api.nasa.gov"; 2],
        target: "/planetary/apod?count=1&api_key={api-key}",
        demands: &[],
    },
    Case {
        folder: "openai",
        call: (
            "POST",
            "/openai/responses",
            Some((JSON, r#"{"model": "m", "input": "Hi"}"#)),
        ),
        hosts: ["api.openai.com"; 2],
        target: "/v1/responses",
        demands: &[Demand::Header("authorization", "Bearer {api-key}")],
    },
    Case {
        folder: "anthropic",
        call: (
            "POST",
            "/anthropic/v1/messages",
            Some((JSON, r#"{"model": "m", "max_tokens": 9, "messages": []}"#)),
        ),
        hosts: ["api.anthropic.com"; 2],
        target: "/v1/messages",
        demands: &[
            Demand::Header("x-api-key", "{api-key}"),
            Demand::Default("anthropic-version", "2023-06-01"),
        ],
    },
    Case {
        folder: "stripe",
        call: (
            "POST",
            "/stripe/v1/payment_intents",
            Some((FORM, "amount=500&currency=eur")),
        ),
        hosts: ["api.stripe.com"; 2],
        target: "/v1/payment_intents",
        demands: &[Demand::Basic("{api-key}", "")],
    },
    Case {
        folder: "sendgrid",
        call: (
            "POST",
            "/sendgrid/mail/send",
            Some((
                JSON,
                r#"{"mail_settings": {"sandbox_mode": {"enable": true}}}"#,
            )),
        ),
        hosts: ["api.sendgrid.com"; 2],
        target: "/v3/mail/send",
        demands: &[Demand::Header("authorization", "Bearer {api-key}")],
    },
    Case {
        folder: "openweathermap",
        call: ("GET", "/openweathermap/weather?q=Berlin&appid=wrong", None),
        hosts: ["api.openweathermap.org"; 2],
        target: "/data/2.5/weather?q=Berlin&units=metric&appid={api-key}",
        demands: &[],
    },
    Case {
        folder: "algolia",
        call: (
            "POST",
            "/algolia/1/indexes/products/query",
            Some((JSON, r#"{"query": "shoe"}"#)),
        ),
        hosts: ["yourtestapp.algolia.net", "yourliveapp.algolia.net"],
        target: "/1/indexes/products/query",
        demands: &[
            Demand::Header("x-algolia-api-key", "{api-key}"),
            Demand::Header("x-algolia-application-id", "{values.applicationId}"),
        ],
    },
    Case {
        folder: "datadog",
        call: ("GET", "/datadog/v2/metrics", None),
        hosts: ["api.datadoghq.eu", "api.datadoghq.com"],
        target: "/api/v2/metrics",
        demands: &[
            Demand::Header("dd-api-key", "{api-key}"),
            Demand::Header("dd-application-key", "{application-key}"),
        ],
    },
    Case {
        folder: "twilio",
        call: (
            "POST",
            "/twilio/Accounts/AC0/Messages.json",
            Some((FORM, "To=%2B4930&From=%2B1500&Body=Hi")),
        ),
        hosts: ["api.twilio.com"; 2],
        target: "/2010-04-01/Accounts/AC0/Messages.json",
        demands: &[Demand::Basic("{username}", "{password}")],
    },
    Case {
        folder: "mailchimp",
        call: ("GET", "/mailchimp/lists", None),
        hosts: ["us14.api.mailchimp.com", "us6.api.mailchimp.com"],
        target: "/3.0/lists",
        demands: &[Demand::Basic("credence", "{api-key}")],
    },
    Case {
        folder: "s3",
        call: (
            "PUT",
            "/s3/reports/a%20b+c.csv?x-id=PutObject",
            Some(("text/csv", "a;b")),
        ),
        hosts: [
            "shop-dev.s3.eu-central-1.amazonaws.com",
            "shop-live.s3.eu-central-1.amazonaws.com",
        ],
        target: "/reports/a%20b+c.csv?x-id=PutObject",
        demands: &[
            Demand::Signature {
                service: "s3",
                region: "eu-central-1",
            },
            Demand::Header("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
        ],
    },
    Case {
        folder: "bedrock",
        call: (
            "POST",
            "/bedrock/model/anthropic.claude-v2%3A1/converse",
            Some((JSON, r#"{"messages": []}"#)),
        ),
        hosts: [
            "bedrock-runtime.eu-central-1.amazonaws.com",
            "bedrock-runtime.us-east-1.amazonaws.com",
        ],
        target: "/model/anthropic.claude-v2%3A1/converse",
        demands: &[Demand::Signature {
            service: "bedrock",
            region: "{values.region}",
        }],
    },
    Case {
        folder: "bank",
        call: ("GET", "/bank/accounts?withBalance=true", None),
        hosts: ["sandbox.bank.example", "api.bank.example"],
        target: "/psd2/v1/accounts?withBalance=true",
        demands: &[Demand::Certificate, Demand::Uuid("x-request-id")],
    },
    Case {
        folder: "salesforce",
        call: ("GET", "/salesforce/sobjects/Account/001", None),
        // Where the answer leads.
        hosts: ["cs7.my.salesforce.com", "eu9.my.salesforce.com"],
        target: "/services/data/v64.0/sobjects/Account/001",
        demands: &[BEARER],
    },
    Case {
        folder: "zoom",
        call: ("GET", "/zoom/users/me", None),
        hosts: ["api.zoom.us"; 2],
        target: "/v2/users/me",
        demands: &[BEARER],
    },
    Case {
        folder: "paypal",
        call: (
            "POST",
            "/paypal/v2/checkout/orders",
            Some((JSON, r#"{"intent": "CAPTURE", "purchase_units": []}"#)),
        ),
        hosts: ["api-m.sandbox.paypal.com", "api-m.paypal.com"],
        target: "/v2/checkout/orders",
        demands: &[BEARER],
    },
    Case {
        folder: "microsoft-graph",
        call: ("GET", "/microsoft-graph/users?$top=5", None),
        hosts: ["graph.microsoft.com"; 2],
        target: "/v1.0/users?$top=5",
        demands: &[BEARER],
    },
    Case {
        folder: "google-workload-identity",
        call: (
            "GET",
            "/google-workload-identity/b/reports/o?maxResults=5",
            None,
        ),
        hosts: ["storage.googleapis.com"; 2],
        target: "/storage/v1/b/reports/o?maxResults=5",
        demands: &[BEARER],
    },
    Case {
        folder: "amazon-sp-api",
        call: (
            "GET",
            "/amazon-sp-api/orders/v0/orders?MarketplaceIds=ATVPDKIKX0DER",
            None,
        ),
        hosts: [
            "sandbox.sellingpartnerapi-na.amazon.com",
            "sellingpartnerapi-na.amazon.com",
        ],
        target: "/orders/v0/orders?MarketplaceIds=ATVPDKIKX0DER",
        demands: &[Demand::Header("x-amz-access-token", "{token}")],
    },
    Case {
        folder: "tableau",
        call: ("GET", "/tableau/sites/s-1/workbooks", None),
        hosts: ["your-pod.online.tableau.com"; 2],
        target: "/api/3.24/sites/s-1/workbooks",
        demands: &[Demand::Header("x-tableau-auth", "{token}")],
    },
    Case {
        folder: "custom-token",
        call: ("GET", "/custom-token/orders", None),
        hosts: ["api.example.com"; 2],
        target: "/v1/orders",
        demands: &[BEARER],
    },
    Case {
        folder: "adp",
        call: ("GET", "/adp/hr/v2/workers", None),
        hosts: ["api.adp.com"; 2],
        target: "/hr/v2/workers",
        demands: &[BEARER, Demand::Certificate],
    },
];
