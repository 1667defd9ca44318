//! Requests besides the one for a token.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BodyFormat, Capture, HttpMethod, Success, Token, TokenHeader, TokenResponse};
use crate::rule;

/// A request that is made before the one for a token, each time: to open a
/// session, or to learn where the token is asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rule::token()))]
pub struct TokenStep {
    /// Its name in ${step.NAME.FIELD}.
    #[schemars(length(min = 1, max = 63), regex(pattern = rule::STEP_NAME))]
    pub name: String,

    /// Where it goes; as token.url. May refer to the steps before it.
    #[schemars(length(min = 1, max = 2048))]
    pub url: String,

    /// The hosts that url may lead to, where it begins with what an earlier step
    /// has answered: login.example.com, *.example.com.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("maxItems" = 16, "items" = rule::text(1, 253), "x-kubernetes-list-type" = "set"))]
    pub url_allow: Vec<String>,

    /// The method of HTTP: POST, GET or PUT.
    #[serde(default)]
    pub method: HttpMethod,

    /// Headers of the request; as token.headers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub headers: Vec<TokenHeader>,

    /// Fields of the request; as token.params.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "BTreeMap<String, String>")]
    #[schemars(extend("maxProperties" = 32, "additionalProperties" = rule::anything()))]
    pub params: BTreeMap<String, serde_json::Value>,

    /// How the fields are written, or what body is; as token.bodyFormat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_format: Option<BodyFormat>,

    /// The whole body, instead of fields; as token.body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16384))]
    pub body: Option<String>,

    /// Fields of the answer that the requests after it need: each is
    /// ${step.NAME.FIELD} there, and must be in the answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub capture: Vec<Capture>,

    /// What the answer must say to be a success, for providers that answer 200
    /// to everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success: Option<Success>,
}

/// How a token is asked for with the refresh token that came with the one
/// before, ${refreshToken}. What is left out is that of token; scopes are not
/// sent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokenRefresh {
    /// Where it goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048))]
    pub url: Option<String>,

    /// The hosts that url may lead to, where it begins with what a step has
    /// answered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("maxItems" = 16, "items" = rule::text(1, 253), "x-kubernetes-list-type" = "set"))]
    pub url_allow: Vec<String>,

    /// The method of HTTP: POST, GET or PUT.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<HttpMethod>,

    /// Headers of the request, instead of those of token.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub headers: Vec<TokenHeader>,

    /// Fields of the request, instead of those of token. In oauth2CustomToken
    /// they are all there is; elsewhere grant_type, refresh_token and what
    /// client says are added.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "BTreeMap<String, String>")]
    #[schemars(extend("maxProperties" = 32, "additionalProperties" = rule::anything()))]
    pub params: BTreeMap<String, serde_json::Value>,

    /// How the fields are written, or what body is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_format: Option<BodyFormat>,

    /// The whole body, instead of fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16384))]
    pub body: Option<String>,

    /// What the answer means, where that differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<TokenResponse>,
}

impl TokenStep {
    /// What it says, as a request for a token that has nothing of its own.
    pub(crate) fn as_token(&self) -> Token {
        Token {
            url: self.url.clone(),
            url_allow: self.url_allow.clone(),
            method: self.method,
            headers: self.headers.clone(),
            params: self.params.clone(),
            body_format: self.body_format,
            body: self.body.clone(),
            grant_type: Some(String::new()),
            response: Some(TokenResponse {
                capture: self.capture.clone(),
                success: self.success.clone(),
                ..TokenResponse::default()
            }),
            ..Token::default()
        }
    }
}

impl TokenRefresh {
    /// What it says, and what the request for a token says of the rest.
    pub(crate) fn over(&self, token: &Token) -> Token {
        let takes_content = self.params.is_empty() && self.body.is_none();
        let content = if takes_content {
            (token.params.clone(), token.body.clone())
        } else {
            (self.params.clone(), self.body.clone())
        };
        let (url, url_allow) = match &self.url {
            Some(url) => (url.clone(), self.url_allow.clone()),
            None => (token.url.clone(), token.url_allow.clone()),
        };
        Token {
            url,
            url_allow,
            method: self.method.unwrap_or(token.method),
            headers: match self.headers.is_empty() {
                true => token.headers.clone(),
                false => self.headers.clone(),
            },
            params: content.0,
            body_format: self.body_format.or(token.body_format),
            body: content.1,
            audience: token.audience.clone().filter(|_| self.body.is_none()),
            response: self.response.clone().or_else(|| token.response.clone()),
            grant_type: Some(String::new()),
            ..Token::default()
        }
    }
}
