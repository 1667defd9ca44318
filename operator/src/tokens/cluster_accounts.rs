//! Tokens of ServiceAccounts, which the API server issues for token endpoints.
//!
//! What is sent to one leaves the cluster, so nothing in the cluster may take it
//! for a credential. That is looked at in three ways, each of which can refuse:
//! what the token says of itself, beside what our own says; a review for its
//! audience, which shows that the API server can judge this token at all; and a
//! review without one, by which the API server says what it would accept itself.
//! It refuses there for many reasons, so that this alone would say little.

use std::path::PathBuf;

use credence_broker::{AccountTokens, NotIssued};
use credence_core::Secret;
use credence_core::token::AccountToken;
use k8s_openapi::api::authentication::v1::{
    TokenRequest, TokenRequestSpec, TokenReview, TokenReviewSpec, TokenReviewStatus,
};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use tracing::warn;
use zeroize::Zeroizing;

use crate::feed::claims;

/// Where the kubelet puts the token that a pod has for the API server, with
/// every audience that this one accepts.
pub const OWN_TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// The API server, as the issuer of such tokens. Whether one may be asked for is
/// its to decide, by the rights that the chart gives for single ServiceAccounts.
#[derive(Clone)]
pub struct ClusterAccounts {
    client: Client,
    own_token: PathBuf,
}

impl ClusterAccounts {
    /// Asks as the operator, whose own token is in that file.
    pub const fn new(client: Client, own_token: PathBuf) -> Self {
        Self { client, own_token }
    }

    async fn request(&self, wanted: &AccountToken) -> Result<Zeroizing<String>, NotIssued> {
        let api: Api<ServiceAccount> = Api::namespaced(self.client.clone(), &wanted.namespace);
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

    /// What a token says of itself: that it is for this audience and for no
    /// other, and the API server is not among those that take it.
    async fn is_for_it_alone(&self, token: &str, audience: &str) -> Result<bool, NotIssued> {
        let named = claims::audiences(token).ok_or_else(|| {
            warn!("a token of a ServiceAccount does not say whom it is for");
            NotIssued::NoAnswer
        })?;
        let own = self.own_audiences().await?;
        Ok(named == [audience] && !own.iter().any(|own| own == audience))
    }

    /// Those that the API server accepts, as the token says which it gave us. It
    /// is read each time: another follows it before it ends.
    async fn own_audiences(&self) -> Result<Vec<String>, NotIssued> {
        let unknown = || {
            warn!(path = %self.own_token.display(), "our own token cannot be read");
            NotIssued::NoAnswer
        };
        let token = tokio::fs::read_to_string(&self.own_token).await;
        let token = Zeroizing::new(token.map_err(|_| unknown())?);
        claims::audiences(token.trim()).ok_or_else(unknown)
    }

    /// Whether the API server accepts it for this audience; without one, whether
    /// it would accept it itself.
    async fn review(
        &self,
        token: &str,
        audience: Option<&str>,
    ) -> Result<TokenReviewStatus, NotIssued> {
        let api: Api<TokenReview> = Api::all(self.client.clone());
        let question = TokenReview {
            metadata: ObjectMeta::default(),
            spec: TokenReviewSpec {
                token: Some(token.to_owned()),
                audiences: audience.map(|audience| vec![audience.to_owned()]),
            },
            status: None,
        };
        let answer = api.create(&PostParams::default(), &question).await;
        let answer = answer.map_err(|error| no_answer(&error))?;
        answer.status.ok_or(NotIssued::NoAnswer)
    }
}

impl AccountTokens for ClusterAccounts {
    async fn issue(&self, wanted: &AccountToken) -> Result<Secret, NotIssued> {
        let token = self.request(wanted).await?;
        let audience = &wanted.audience;
        if !self.is_for_it_alone(&token, audience).await? {
            return Err(NotIssued::ForTheCluster);
        }
        let known = self.review(&token, Some(audience)).await?;
        if known.authenticated != Some(true) {
            // Of a key or an issuer that it does not know, it would refuse
            // everything.
            warn!("the API server does not know a token that it has issued");
            return Err(NotIssued::NoAnswer);
        }
        // Where it names none, the token is good for the API server itself.
        if !known
            .audiences
            .is_some_and(|named| named.contains(audience))
        {
            return Err(NotIssued::ForTheCluster);
        }
        match self.review(&token, None).await?.authenticated {
            Some(true) => Err(NotIssued::ForTheCluster),
            Some(false) | None => Ok(Secret::from(token)),
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
