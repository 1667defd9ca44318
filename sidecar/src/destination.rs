//! A route of the bundle, made ready for requests: everything about it that
//! does not depend on the request is worked out once, when it is applied.

use std::sync::Arc;

use credence_core::CollectionName;
use credence_core::bundle::Route;
use credence_core::placement::CompiledQuery;
use jiff::Timestamp;

use crate::aws_error;
use crate::body_copy::BodyCopy;
use crate::budget::Budget;
use crate::http1::ResponseHead;
use crate::metrics::CollectionMetrics;
use crate::plan::{BodyPlan, CookiePlan, Credentials, HeaderPlan, PathPlan, Yielding};
use crate::refusal;
use crate::signer::Signer;
use crate::slug::Slug;
use crate::standing::Standing;
use crate::upstream::Upstream;

/// The longest body of an answer that is looked at: errors are short.
const LONGEST_LOOKED_AT: usize = 64 * 1024;

/// Where the calls of one collection go, and what is put on them.
#[derive(Debug)]
pub(crate) struct Destination {
    pub(crate) collection: CollectionName,
    /// What the bundle said, with the token in its place.
    pub(crate) route: Arc<Route>,
    /// Which token is in it, if one is.
    pub(crate) generation: Option<u64>,
    /// From when on the token in it must not be sent.
    pub(crate) expires_at: Option<Timestamp>,
    /// Where the token is put, if a caller may send his own instead.
    pub(crate) yielding: Option<Yielding>,
    /// The same for all destinations that replaced one another without the
    /// collection having been withdrawn in between.
    pub(crate) lineage: u64,
    pub(crate) upstream: Arc<Upstream>,
    /// The value of `Host` upstream.
    pub(crate) authority: Box<str>,
    pub(crate) path: PathPlan,
    pub(crate) headers: HeaderPlan,
    pub(crate) query: CompiledQuery,
    pub(crate) cookies: CookiePlan,
    pub(crate) body: BodyPlan,
    /// Signs each call when all else is on it.
    pub(crate) signer: Option<Signer>,
    /// What no answer may tell the caller.
    pub(crate) credentials: Credentials,
    /// How the provider receives them.
    pub(crate) standing: Arc<Standing>,
    pub(crate) metrics: Arc<CollectionMetrics>,
}

impl Destination {
    /// Takes note of what an answer says about the credential; whether it says
    /// that the token is not good any more. To a call that did not get the token
    /// it says nothing.
    pub(crate) fn answered(&self, head: &ResponseHead<'_, '_>, has_token: bool) -> bool {
        if self.generation.is_some() && !has_token {
            return false;
        }
        let refusal = &self.route.refusal;
        let refused = self.generation.is_some() && refusal::refuses_token(refusal, head);
        match (self.generation, refused) {
            (Some(_), true) => self.standing.token_refused(head.status),
            (Some(_), false) if head.status == 401 => {}
            (Some(_) | None, _) => self.standing.answered(head.status),
        }
        refused
    }

    /// Takes note of what the head of an answer says about the key that the call
    /// was signed with.
    pub(crate) fn key_answered(&self, head: &ResponseHead<'_, '_>) {
        if self.signer.is_some()
            && let Some(error) = aws_error::of_head(head)
        {
            self.standing.key_refused(head.status, error);
        }
    }

    /// A place for the body of an answer that may refuse the token, or the key,
    /// by it.
    pub(crate) fn copy_of_answer(
        &self,
        head: &ResponseHead<'_, '_>,
        has_token: bool,
        budget: &Arc<Budget>,
    ) -> Option<Box<BodyCopy>> {
        let has_token = has_token && self.generation.is_some();
        let looked_at = (has_token && self.route.refusal.depends_on_body(head.status))
            || (self.signer.is_some() && aws_error::may_be_in_body(head.status));
        let copy = looked_at.then(|| BodyCopy::of(head.framing, LONGEST_LOOKED_AT, budget))?;
        copy.map(Box::new)
    }

    /// Whether answers must come in a form that can be looked at.
    pub(crate) fn reads_answers(&self) -> bool {
        self.generation.is_some()
            && self.route.refusal.reads_bodies()
            && self.headers.on_conflict("Accept-Encoding").is_none()
    }

    /// Takes note of what the body of an answer says about the token, or the
    /// key.
    pub(crate) fn answered_with(&self, status: u16, body: &[u8]) {
        if self.signer.is_some() {
            if let Some(error) = aws_error::of_body(body) {
                self.standing.key_refused(status, error);
            }
        } else if self.route.refusal.by_body(status, body) {
            self.standing.token_refused(status);
        }
    }

    /// The problem that a call would get, if that is known before.
    pub(crate) fn slug(&self) -> Option<Slug> {
        let signer = self.signer.as_ref()?;
        (!signer.can_sign(Timestamp::now())).then_some(Slug::TokenUnavailable)
    }
}
