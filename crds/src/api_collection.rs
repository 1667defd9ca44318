//! The kind `ApiCollection`.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::access::Access;
use crate::auth::Auth;
use crate::call_settings::{Forwarding, Timeouts};
use crate::environment_settings::EnvironmentSettings;
use crate::named_value::{HeaderValue, QueryValue};
use crate::refusal::{RefreshOn, RetryOnUnauthorized};
use crate::status::ApiCollectionStatus;
use crate::verification::Verification;
use crate::{rule, schema};

/// Describes one API: where it is, how calls to it are authenticated, and which
/// Secret each environment takes the credential from.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "credence.dev",
    version = "v1alpha1",
    kind = "ApiCollection",
    plural = "apicollections",
    singular = "apicollection",
    shortname = "apic",
    category = "credence",
    namespaced,
    status = "ApiCollectionStatus",
    derive = "PartialEq",
    doc = "An API that pods of this namespace call at http://localhost:2733/NAME, without holding its credential. \
           NAME is the object's name. Which of the two Secrets is used is decided by the namespace's label \
           credence.dev/environment.",
    validation = rule::name(),
    printcolumn(name = "Environment", type_ = "string", json_path = ".status.environment",
        description = "The environment of the namespace."),
    printcolumn(name = "Method", type_ = "string", json_path = ".status.method",
        description = "How calls are authenticated."),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#,
        description = "Whether calls can be made."),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#,
        description = "Why it is ready or not.", priority = 1),
    printcolumn(name = "Expires", type_ = "string", json_path = ".status.expires",
        description = "When the credential expires, if that is known."),
    printcolumn(name = "Sidecars", type_ = "string", json_path = ".status.sidecars.summary",
        description = "Sidecars that use the current version, of those that are connected."),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = schema::without_null)]
#[schemars(extend("x-kubernetes-validations" = rule::spec()))]
pub struct ApiCollectionSpec {
    /// What the API is, for people who read the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub description: Option<String>,

    /// Where calls go: an https URL without query (or an http one, where the
    /// environment sets allowInsecureHttp). The path that a caller asks for is
    /// appended to it. May hold ${values.NAME}, but nothing of a Secret.
    /// May be left out if each environment in use has a baseUrl of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048))]
    #[schemars(extend("x-kubernetes-validations" = rule::base_url()))]
    pub base_url: Option<String>,

    /// Which hosts the URL at auth's response.baseUrlPath may lead to:
    /// api.example.com, or *.example.com for all below it. It is always one of
    /// https.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("maxItems" = 16, "items" = rule::text(1, 253), "x-kubernetes-list-type" = "set"))]
    pub base_url_allow: Vec<String>,

    /// How calls are authenticated: exactly one of none, apiKey, basic,
    /// clientCertificate, awsSigV4, oauth2ClientCredentials, oauth2Password,
    /// oauth2RefreshToken and oauth2CustomToken. Left out, it means none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,

    /// Headers that are set on every call. Their values may hold ${secret.KEY},
    /// ${values.NAME} and ${baseUrl}, and what is new on each call: ${uuid},
    /// ${now.unix} (seconds) and ${now.iso8601}. With a method that obtains a
    /// token also ${token} and what its response captures, ${token.NAME}. A header that the method of
    /// auth sets wins over one of the same name here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub headers: Vec<HeaderValue>,

    /// Query parameters that are set on every call. Their values may hold the
    /// same variables as those of headers; they are percent-encoded on the way. A
    /// parameter that the method of auth sets wins over one of the same name
    /// here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub query: Vec<QueryValue>,

    /// What is used in namespaces with the label credence.dev/environment: live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<EnvironmentSettings>,

    /// What is used in all other namespaces. May be left out where nothing
    /// refers to a Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub development: Option<EnvironmentSettings>,

    /// What a development namespace gets where development is left out: Deny
    /// gives it no credential, UseLive gives it the live one.
    #[serde(default)]
    pub development_fallback: DevelopmentFallback,

    /// Who may make calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<Access>,

    /// What of a call is passed on or changed beside the credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forwarding: Option<Forwarding>,

    /// How long the API is waited for. There is no limit on a call as a whole,
    /// as streams live long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeouts: Option<Timeouts>,

    /// Which answers say that the token which the method of auth has obtained is
    /// not good any more: then it is renewed before its time. The list replaces
    /// the usual one, which is [{status: 401}]; an empty one means that no answer
    /// does. An answer that speaks of insufficient_scope never does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8), extend("x-kubernetes-list-type" = "atomic"))]
    pub refresh_on: Option<Vec<RefreshOn>>,

    /// When a call whose token was refused is made again with the next one, if
    /// its body is still known: Safe (the default: after a 401, or where the
    /// method is GET, HEAD, OPTIONS, PUT or DELETE), Always (some things may be
    /// done twice) or Never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_on_unauthorized: Option<RetryOnUnauthorized>,

    /// A call that the operator makes from time to time, to see whether the API
    /// accepts the credential: the condition Verified tells. Left out, no such
    /// call is made. It goes to public addresses, and to those of the chart's
    /// broker.privateNetworks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification: Option<Verification>,

    /// A port on localhost whose root is the API, for programs that accept no
    /// path in an address: http://localhost:9001/models. The API stays at
    /// http://localhost:2733/NAME too. A port that another container of the pod
    /// has is not opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1024, max = 65535))]
    #[schemars(extend("x-kubernetes-validations" = rule::sidecar_port()))]
    pub sidecar_port: Option<i32>,
}

/// What a development namespace gets where development is left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DevelopmentFallback {
    /// No credential.
    #[default]
    Deny,
    /// The live credential.
    UseLive,
}
