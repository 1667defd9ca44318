//! Tokens of ServiceAccounts, which the API server issues for token endpoints.

use credence_broker::{AccountTokens, NotIssued};
use credence_core::Secret;
use credence_core::token::AccountToken;
use k8s_openapi::api::authentication::v1::{
    TokenRequest, TokenRequestSpec, TokenReview, TokenReviewSpec,
};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use tracing::warn;
use zeroize::Zeroizing;

/// The API server, as the issuer of such tokens. Whether one may be asked for is
/// its to decide, by the rights that the chart gives for single ServiceAccounts.
#[derive(Clone)]
pub struct ClusterAccounts(Client);

impl ClusterAccounts {
    /// Asks as the operator.
    pub const fn new(client: Client) -> Self {
        Self(client)
    }

    async fn request(&self, wanted: &AccountToken) -> Result<Zeroizing<String>, NotIssued> {
        let api: Api<ServiceAccount> = Api::namespaced(self.0.clone(), &wanted.namespace);
        let question = TokenRequest {
            spec: TokenRequestSpec {
                audiences: vec![wanted.audience.clone()],
                bound_object_ref: None,
                expiration_seconds: i64::try_from(wanted.lifetime.as_secs()).ok(),
            },
            ..TokenRequest::default()
        };
        let params = PostParams::default();
        let asked = api.create_token_request(&wanted.name, &params, &question);
        let answer = asked.await.map_err(|error| refusal(&error))?;
        let token = answer.status.map(|status| Zeroizing::new(status.token));
        token
            .filter(|token| !token.is_empty())
            .ok_or(NotIssued::NoAnswer)
    }

    /// Asked without an audience, the API server says whether it would accept
    /// the token itself. Its own audiences are told nowhere.
    async fn is_for_the_cluster(&self, token: &str) -> Result<bool, NotIssued> {
        let api: Api<TokenReview> = Api::all(self.0.clone());
        let question = TokenReview {
            metadata: ObjectMeta::default(),
            spec: TokenReviewSpec {
                token: Some(token.to_owned()),
                audiences: None,
            },
            status: None,
        };
        let answer = api.create(&PostParams::default(), &question).await;
        let answer = answer.map_err(|error| no_answer(&error))?;
        let status = answer.status.ok_or(NotIssued::NoAnswer)?;
        Ok(status.authenticated == Some(true))
    }
}

impl AccountTokens for ClusterAccounts {
    async fn issue(&self, wanted: &AccountToken) -> Result<Secret, NotIssued> {
        let token = self.request(wanted).await?;
        match self.is_for_the_cluster(&token).await? {
            true => Err(NotIssued::ForTheCluster),
            false => Ok(Secret::from(token)),
        }
    }
}

fn refusal(error: &kube::Error) -> NotIssued {
    match error {
        kube::Error::Api(status) if status.is_forbidden() => NotIssued::Forbidden,
        kube::Error::Api(status) if status.is_not_found() => NotIssued::Absent,
        kube::Error::Api(status) if matches!(status.code, 400 | 405 | 422) => {
            NotIssued::Refused(status.code)
        }
        error => no_answer(error),
    }
}

fn no_answer(error: &kube::Error) -> NotIssued {
    match error {
        // It would quote what it cannot read.
        kube::Error::SerdeError(_) => {
            warn!("an answer about a token of a ServiceAccount cannot be read");
        }
        error => warn!(%error, "a token of a ServiceAccount cannot be had"),
    }
    NotIssued::NoAnswer
}

#[cfg(test)]
mod tests;
