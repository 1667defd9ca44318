//! Signs the calls of a collection for AWS.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use credence_core::bundle::Route;
use credence_core::sigv4::{
    self, Content, Head, NoKey, Payload, Signing, is_signed, offending_in_id, offending_in_scope,
};
use credence_core::{CollectionName, http_date};
use http::uri::PathAndQuery;
use jiff::{SignedDuration, Timestamp};

use crate::http1::{Field, FieldStorage, Framing, RequestHead, ResponseHead, field};
use crate::plan::Unplaceable;
use crate::problem::Problem;
use crate::slug::Slug;

/// How far a provider's clock may be from ours: AWS takes a signature that is
/// five minutes old, and S3 one of fifteen.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// How the calls of one collection are signed. Its `Debug` shows no key.
#[derive(Debug)]
pub(crate) struct Signer {
    collection: CollectionName,
    signing: Signing,
    skew: Arc<Skew>,
}

/// By how many seconds the provider's clock is ahead of ours, where that has
/// kept calls from being accepted.
#[derive(Debug, Default)]
struct Skew(AtomicI64);

impl Skew {
    fn adjusted(&self, now: Timestamp) -> Timestamp {
        let ahead = SignedDuration::from_secs(self.0.load(Ordering::Relaxed));
        now.checked_add(ahead).unwrap_or(now)
    }
}

/// What a signature says about the body of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signed {
    /// All of it: it must be known whole.
    Body,
    /// That there is none.
    NoBody,
    /// Nothing.
    Unsigned,
    /// Nothing, but that the caller sent it in chunks of S3's own.
    UnsignedWithTrailer,
}

impl Signer {
    /// `before` is that of the same collection and host.
    ///
    /// # Errors
    /// [`Unplaceable::Signature`].
    pub(crate) fn compile(
        collection: &CollectionName,
        route: &Route,
        before: Option<&Self>,
    ) -> Result<Option<Self>, Unplaceable> {
        let Some(signing) = &route.signing else {
            return Ok(None);
        };
        let token = signing.session_token.as_ref();
        let clean = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        let in_order = offending_in_scope(&signing.region).is_none()
            && offending_in_scope(&signing.service).is_none()
            && offending_in_id(signing.access_key_id.expose()).is_none()
            && token.is_none_or(|token| clean(token.expose()));
        if !in_order {
            return Err(Unplaceable::Signature);
        }
        Ok(Some(Self {
            collection: collection.clone(),
            signing: signing.clone(),
            skew: before.map_or_else(Arc::default, |before| Arc::clone(&before.skew)),
        }))
    }

    /// What will be said about the body of this request.
    ///
    /// # Errors
    /// `bad-request`, where the body holds signatures that nobody can replace.
    pub(crate) fn signed(&self, request: &RequestHead<'_, '_>) -> Result<Signed, Problem> {
        let streaming = request.fields.iter().find_map(streaming);
        match (streaming, self.signing.payload) {
            (Some(b"STREAMING-UNSIGNED-PAYLOAD-TRAILER"), Payload::Unsigned) => {
                Ok(Signed::UnsignedWithTrailer)
            }
            (Some(_), _) => Err(Problem::new(
                Slug::BadRequest,
                "The body is in chunks that the caller has signed or wants to have signed (aws-chunked), which Credence cannot do for him: have the SDK send it as it is.",
            )),
            (None, Payload::Unsigned) => Ok(Signed::Unsigned),
            (None, Payload::Signed) => Ok(match request.framing {
                Framing::None | Framing::Length(0) => Signed::NoBody,
                Framing::Length(_) | Framing::Chunked | Framing::UntilClose => Signed::Body,
            }),
        }
    }

    /// Signs a head that lacks nothing but the empty line at its end.
    ///
    /// # Errors
    /// `token-unavailable` without a key for today, `bad-request` for a target
    /// that is not sent as it is.
    pub(crate) fn sign(
        &self,
        head: &mut Vec<u8>,
        content: Content<'_>,
        now: Timestamp,
    ) -> Result<(), Problem> {
        let length = head.len();
        head.extend_from_slice(b"\r\n");
        let fields = self.fields(head, content, self.skew.adjusted(now))?;
        head.truncate(length);
        for (name, value) in &fields {
            field::write(name, value.as_bytes(), head);
        }
        Ok(())
    }

    fn fields(
        &self,
        head: &[u8],
        content: Content<'_>,
        now: Timestamp,
    ) -> Result<sigv4::SignedFields, Problem> {
        let unsignable = |detail| Problem::new(Slug::BadRequest, detail).of(&self.collection);
        let mut storage = FieldStorage::with_ours();
        let head = RequestHead::parse(head, &mut storage)
            .map_err(|_| unsignable("The head of the request cannot be signed."))?;
        // HTTP/2 would escape the rest of it after it was signed.
        if PathAndQuery::try_from(head.target).is_err() {
            return Err(unsignable(
                "The path or the query holds characters that no URL has, and a signature covers both: write them percent-encoded.",
            ));
        }
        let (path, query) = match head.target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (head.target, None),
        };
        let signed = head.fields.iter().filter(|field| is_signed(field.name));
        let fields: Vec<_> = signed.map(|field| (field.name, field.value)).collect();
        let head = Head {
            method: head.method,
            path,
            query,
            fields: &fields,
        };
        self.signing.sign(&head, content, now).map_err(|NoKey(day)| {
            let detail = format!(
                "There is no key to sign with on {day}: the operator has sent none since the days before, or this clock is wrong."
            );
            Problem::new(Slug::TokenUnavailable, detail).of(&self.collection)
        })
    }

    /// Whether there is a key for today.
    pub(crate) fn can_sign(&self, now: Timestamp) -> bool {
        self.signing.has_key_at(self.skew.adjusted(now))
    }

    /// Takes note of an answer: where one is refused and the provider's clock
    /// is another, later calls are signed by the provider's. Says whether it is.
    pub(crate) fn answered(&self, head: &ResponseHead<'_, '_>, now: Timestamp) -> bool {
        if !matches!(head.status, 400 | 401 | 403) {
            return false;
        }
        let named = |name: &str| {
            let fields = head.fields.iter();
            fields
                .filter(|field| field.name.eq_ignore_ascii_case(name))
                .map(|field| field.value)
                .next()
        };
        // The date of an answer that was kept on the way is an old one.
        if named("Age").is_some() {
            return false;
        }
        let date = named("Date").and_then(|date| std::str::from_utf8(date).ok());
        let Some(theirs) = date.and_then(http_date::parse) else {
            return false;
        };
        let apart = self.skew.adjusted(now).duration_until(theirs).abs();
        if apart <= TOLERANCE {
            return false;
        }
        // By a clock of other days nothing could be signed, not even what is
        // needed to learn the right time.
        if !self.signing.has_key_at(theirs) {
            return true;
        }
        let ahead = now.duration_until(theirs).as_secs();
        self.skew.0.store(ahead, Ordering::Relaxed);
        tracing::warn!(
            collection = %self.collection,
            seconds = ahead,
            "the provider's clock is ahead of this one by more than it allows: calls are signed by the provider's"
        );
        true
    }
}

/// The caller's own word on the body, where it is about more than its hash.
fn streaming<'b>(sent: &Field<'b>) -> Option<&'b [u8]> {
    let about_body = sent.name.eq_ignore_ascii_case("X-Amz-Content-Sha256");
    (about_body && sent.value.starts_with(b"STREAMING-")).then_some(sent.value)
}
