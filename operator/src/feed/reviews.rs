//! Asks the API server whose token it is.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use credence_core::names::AUDIENCE;
use jiff::Timestamp;
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec};
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use tokio::sync::Semaphore;
use tracing::warn;

use super::claims;
use super::identity::{Identity, identify};
use super::refusal::Refusal;

/// A token that was withdrawn is still known for this long.
const KNOWN_FOR: Duration = Duration::from_secs(60);
/// Answers kept: one a pod that reconnects within a minute.
const KEPT: usize = 4096;
/// Questions asked at a time. More would only wait in the API server.
const AT_A_TIME: usize = 32;
/// An API server that takes longer is not going to answer.
const TIMEOUT: Duration = Duration::from_secs(10);

type Digest = [u8; 32];

/// Reviews tokens, and knows the answer for a minute.
pub struct Reviews {
    api: Api<TokenReview>,
    permits: Semaphore,
    known: Mutex<HashMap<Digest, (Identity, Instant)>>,
}

impl Reviews {
    /// Knows nothing yet.
    pub fn new(client: Client) -> Self {
        Self {
            api: Api::all(client),
            permits: Semaphore::new(AT_A_TIME),
            known: Mutex::default(),
        }
    }

    /// The identity that a token proves. Tokens are kept as digests only.
    ///
    /// # Errors
    /// The refusal; [`Refusal::ApiServer`] when nobody could be asked.
    pub async fn identify(&self, token: &str) -> Result<Identity, Refusal> {
        let key = key(token);
        if let Some(identity) = self.recall(&key, Instant::now()) {
            return Ok(identity);
        }
        claims::check(token, Timestamp::now())?;
        // The semaphore is never closed.
        let _permit = self
            .permits
            .acquire()
            .await
            .map_err(|_| Refusal::ApiServer)?;
        let review = TokenReview {
            metadata: ObjectMeta::default(),
            spec: TokenReviewSpec {
                token: Some(token.to_owned()),
                audiences: Some(vec![AUDIENCE.to_owned()]),
            },
            status: None,
        };
        let params = PostParams::default();
        let answer = tokio::time::timeout(TIMEOUT, self.api.create(&params, &review)).await;
        let status = match answer {
            Ok(Ok(review)) => review.status.unwrap_or_default(),
            Ok(Err(error)) => {
                warn!(%error, "a token cannot be reviewed");
                return Err(Refusal::ApiServer);
            }
            Err(_) => {
                warn!("a token review took too long");
                return Err(Refusal::ApiServer);
            }
        };
        let identity = identify(&status)?;
        self.remember(key, identity.clone(), Instant::now());
        Ok(identity)
    }

    fn recall(&self, key: &Digest, now: Instant) -> Option<Identity> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (identity, at) = known.get(key)?;
        (now.duration_since(*at) < KNOWN_FOR).then(|| identity.clone())
    }

    fn remember(&self, key: Digest, identity: Identity, now: Instant) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KEPT {
            known.retain(|_, (_, at)| now.duration_since(*at) < KNOWN_FOR);
        }
        if known.len() < KEPT {
            known.insert(key, (identity, now));
        }
    }
}

fn key(token: &str) -> Digest {
    let mut key = Digest::default();
    key.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    key
}
