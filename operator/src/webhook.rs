//! The injector's side of the admission protocol
//! (`admission.k8s.io/v1`): review in, review out, as bytes.
//!
//! An API server does not say who it is, and whoever reaches the port may ask
//! too. So nothing in an answer is secret: it depends on the question, on the
//! settings, on a namespace's environment and on what it demands of resources,
//! and holds a public certificate.

mod bystander;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::events::Happening;
use crate::inject::{Decision, InjectSettings, Injection, Namespace, decide};

const API_VERSION: &str = "admission.k8s.io/v1";
const KIND: &str = "AdmissionReview";

/// What is sent back, and what there is to count.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The AdmissionReview, to be sent as `application/json` with status 200.
    pub body: Vec<u8>,
    /// `inject`, `skip`, `deny` or `error`.
    pub decision: &'static str,
    /// Why, from a closed list.
    pub reason: &'static str,
    /// The Event to write. None for a request that is only tried
    /// (`dryRun`).
    pub happening: Option<Happening>,
}

impl Answer {
    /// Whether the question was a review at all.
    pub fn is_of_a_review(&self) -> bool {
        self.decision != "error"
    }
}

/// The most memory, in bytes, that it may take to answer a review besides its
/// own: an object of a few characters becomes a tree with room for more, and a
/// container's may come with a patch.
pub fn cost(review: &[u8]) -> usize {
    const OBJECT: usize = 4 * 1024;
    const ITEM: usize = 128;
    let mut cost = 0;
    let mut bytes = review.iter();
    while let Some(byte) = bytes.next() {
        cost += match byte {
            b'{' => OBJECT,
            b'[' | b',' => ITEM,
            b'"' => {
                skip_text(&mut bytes);
                0
            }
            _ => 0,
        };
    }
    cost
}

/// To the quote that ends a text of JSON (RFC 8259 §7).
fn skip_text<'a>(bytes: &mut impl Iterator<Item = &'a u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => drop(bytes.next()),
            _ => {}
        }
    }
}

/// Answers a review. `namespace_of` knows a namespace without asking anyone.
pub fn respond(
    body: &[u8],
    settings: &InjectSettings,
    namespace_of: impl FnOnce(&str) -> Namespace,
) -> Answer {
    // The uid is read first and by itself: an answer without it is useless,
    // whatever else is wrong with the question.
    let uid = serde_json::from_slice::<Envelope<JustUid>>(body)
        .map(|envelope| envelope.request.uid)
        .unwrap_or_default();
    let verdict = match serde_json::from_slice::<Envelope<Request>>(body) {
        Ok(review) if review.api_version == API_VERSION && review.kind == KIND => {
            review.request.judge(settings, namespace_of)
        }
        _ => Verdict::error(),
    };
    verdict.answer(uid)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<R> {
    #[serde(default)]
    api_version: String,
    #[serde(default)]
    kind: String,
    request: R,
}

#[derive(Deserialize)]
struct JustUid {
    uid: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    uid: String,
    resource: Resource,
    sub_resource: Option<String>,
    operation: String,
    #[serde(default)]
    namespace: String,
    dry_run: Option<bool>,
    object: Value,
}

#[derive(Deserialize)]
struct Resource {
    group: String,
    resource: String,
}

impl Request {
    fn judge(
        &self,
        settings: &InjectSettings,
        namespace_of: impl FnOnce(&str) -> Namespace,
    ) -> Verdict {
        let verdict = if self.creates_a_pod() {
            let namespace = namespace_of(&self.namespace);
            self.verdict(decide(&self.object, &namespace, settings))
        } else {
            // Someone widened the webhook's rules. That must not stop what
            // was never ours.
            Verdict::left_alone("not-a-new-pod")
        };
        tracing::info!(
            uid = self.uid,
            namespace = self.namespace,
            pod = self.pod_name(),
            decision = verdict.decision,
            reason = verdict.reason,
            "reviewed"
        );
        verdict
    }

    fn verdict(&self, decision: Decision) -> Verdict {
        let happening = match &decision {
            Decision::Skip(skip) if self.dry_run != Some(true) => {
                bystander::happening(*skip, &self.namespace, &self.object)
            }
            Decision::Skip(_) | Decision::Inject(_) | Decision::Deny(_) => None,
        };
        Verdict {
            happening,
            ..Verdict::of(decision)
        }
    }

    fn creates_a_pod(&self) -> bool {
        self.resource.group.is_empty()
            && self.resource.resource == "pods"
            && self.sub_resource.as_deref().unwrap_or_default().is_empty()
            && self.operation == "CREATE"
    }

    /// Pods of a workload have no name yet, only its beginning.
    fn pod_name(&self) -> &str {
        let metadata = &self.object["metadata"];
        let name = metadata["name"].as_str();
        name.or_else(|| metadata["generateName"].as_str())
            .unwrap_or_default()
    }
}

struct Verdict {
    decision: &'static str,
    reason: &'static str,
    injection: Option<Injection>,
    warnings: Vec<String>,
    refusal: Option<Status>,
    happening: Option<Happening>,
}

impl Verdict {
    fn of(decision: Decision) -> Self {
        match decision {
            Decision::Inject(injection) => Self {
                decision: "inject",
                reason: injection.reason(),
                warnings: injection.warnings.iter().map(ToString::to_string).collect(),
                injection: Some(injection),
                refusal: None,
                happening: None,
            },
            Decision::Skip(skip) => Self {
                warnings: skip.warning().map(str::to_owned).into_iter().collect(),
                ..Self::left_alone(skip.as_str())
            },
            Decision::Deny(denial) => Self {
                decision: "deny",
                refusal: Some(Status::forbidden(denial.to_string())),
                ..Self::left_alone(denial.as_str())
            },
        }
    }

    fn left_alone(reason: &'static str) -> Self {
        Self {
            decision: "skip",
            reason,
            injection: None,
            warnings: Vec::new(),
            refusal: None,
            happening: None,
        }
    }

    /// The parser's own message is not passed on: it quotes what it read.
    fn error() -> Self {
        Self {
            decision: "error",
            refusal: Some(Status::bad_request()),
            ..Self::left_alone("not-a-review")
        }
    }

    fn answer(self, uid: String) -> Answer {
        let patch = self.injection.and_then(|injection| {
            let patch = serde_json::to_vec(&injection.patch).ok()?;
            Some(STANDARD.encode(patch))
        });
        let review = Reply {
            api_version: API_VERSION,
            kind: KIND,
            response: Response {
                uid,
                allowed: self.refusal.is_none(),
                patch_type: patch.is_some().then_some("JSONPatch"),
                patch,
                warnings: self.warnings,
                audit_annotations: Audit {
                    decision: self.decision,
                    reason: self.reason,
                },
                status: self.refusal,
            },
        };
        Answer {
            body: serde_json::to_vec(&review).unwrap_or_default(),
            decision: self.decision,
            reason: self.reason,
            happening: self.happening,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Reply {
    api_version: &'static str,
    kind: &'static str,
    response: Response,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    uid: String,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    audit_annotations: Audit,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
}

/// What the API server's audit log says beside the webhook's name.
#[derive(Serialize)]
struct Audit {
    decision: &'static str,
    reason: &'static str,
}

#[derive(Serialize)]
struct Status {
    code: u16,
    reason: &'static str,
    message: String,
}

impl Status {
    fn forbidden(message: String) -> Self {
        Self {
            code: 403,
            reason: "Forbidden",
            message,
        }
    }

    fn bad_request() -> Self {
        Self {
            code: 400,
            reason: "BadRequest",
            message: format!("this is no {KIND} of {API_VERSION}"),
        }
    }
}
