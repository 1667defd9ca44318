//! Questions to an API server: each is answered within a time, and a refusal
//! is an answer too.

use std::error::Error;
use std::fmt::Debug;
use std::time::Duration;

use http::Request;
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec,
};
use kube::api::{ListParams, PostParams};
use kube::client::Body;
use kube::{Api, Client};
use serde::de::DeserializeOwned;

/// For one answer. The longest is that of a dry run, for which the API server
/// waits up to five seconds on the injector.
const PATIENCE: Duration = Duration::from_secs(15);
/// Objects by request; API servers keep more than that in memory to answer.
const PAGE: u32 = 500;

/// What can be known of something in the cluster.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Look<T> {
    /// It is there.
    Seen(T),
    /// It is not there.
    Absent,
    /// The API server does not say, for this reason.
    Unknown(String),
}

impl<T> Look<T> {
    /// What was seen, if anything was.
    pub(super) const fn seen(&self) -> Option<&T> {
        match self {
            Self::Seen(seen) => Some(seen),
            Self::Absent | Self::Unknown(_) => None,
        }
    }

    /// The same of something that is made of what was seen.
    pub(super) fn map<U>(self, make: impl FnOnce(T) -> U) -> Look<U> {
        match self {
            Self::Seen(seen) => Look::Seen(make(seen)),
            Self::Absent => Look::Absent,
            Self::Unknown(why) => Look::Unknown(why),
        }
    }
}

/// What `GET /version` is answered.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Version {
    /// Such as `v1.36.3`.
    pub(super) name: String,
    /// Such as 1 and 36.
    pub(super) number: Option<(u32, u32)>,
    /// How far its clock is ahead of this machine's, in seconds; it is
    /// written in whole seconds.
    pub(super) ahead: Option<i64>,
}

/// A cluster, by one user.
pub(super) struct Cluster {
    client: Client,
}

impl Cluster {
    pub(super) const fn new(client: Client) -> Self {
        Self { client }
    }

    pub(super) fn client(&self) -> Client {
        self.client.clone()
    }

    /// One object.
    pub(super) async fn get<K>(&self, api: Api<K>, name: &str) -> Look<K>
    where
        K: Clone + DeserializeOwned + Debug,
    {
        in_time(api.get(name)).await
    }

    /// All objects that match.
    pub(super) async fn list<K>(&self, api: Api<K>, labels: &str) -> Look<Vec<K>>
    where
        K: Clone + DeserializeOwned + Debug,
    {
        let mut found = Vec::new();
        let mut params = ListParams::default().labels(labels).limit(PAGE);
        loop {
            let page = match in_time(api.list(&params)).await {
                Look::Seen(page) => page,
                other => return other.map(|_| Vec::new()),
            };
            found.extend(page.items);
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => return Look::Seen(found),
            }
        }
    }

    /// What the API server would make of an object, which is not created.
    ///
    /// # Errors
    /// The status code, where there is one, and why it would not.
    pub(super) async fn dry_run<K>(
        &self,
        api: &Api<K>,
        object: &K,
    ) -> Result<K, (Option<u16>, String)>
    where
        K: Clone + DeserializeOwned + serde::Serialize + Debug,
    {
        let params = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        match tokio::time::timeout(PATIENCE, api.create(&params, object)).await {
            Ok(Ok(made)) => Ok(made),
            Ok(Err(kube::Error::Api(status))) => Err((Some(status.code), status.message)),
            Ok(Err(error)) => Err((None, told(&error))),
            Err(_) => Err((None, late())),
        }
    }

    /// Whether a ServiceAccount may do something.
    pub(super) async fn may(
        &self,
        (namespace, account): (&str, &str),
        what: ResourceAttributes,
    ) -> Look<bool> {
        let review = SubjectAccessReview {
            spec: SubjectAccessReviewSpec {
                user: Some(format!("system:serviceaccount:{namespace}:{account}")),
                groups: Some(vec![
                    "system:serviceaccounts".to_owned(),
                    format!("system:serviceaccounts:{namespace}"),
                    "system:authenticated".to_owned(),
                ]),
                resource_attributes: Some(what),
                ..SubjectAccessReviewSpec::default()
            },
            ..SubjectAccessReview::default()
        };
        let api: Api<SubjectAccessReview> = Api::all(self.client());
        in_time(api.create(&PostParams::default(), &review))
            .await
            .map(|review| review.status.is_some_and(|status| status.allowed))
    }

    /// The text at a path of the API server.
    pub(super) async fn text(&self, path: &str) -> Look<String> {
        match Request::get(path).body(Vec::new()) {
            Ok(request) => in_time(self.client.request_text(request)).await,
            Err(error) => Look::Unknown(error.to_string()),
        }
    }

    /// Which API server this is, and what time it has.
    pub(super) async fn version(&self) -> Look<Version> {
        in_time(async {
            let request = Request::get("/version")
                .body(Body::empty())
                .map_err(kube::Error::HttpError)?;
            let answer = self.client.send(request).await?;
            let here = Timestamp::now().as_second();
            let date = answer.headers().get(http::header::DATE).cloned();
            let body = answer.into_body().collect().await?.to_bytes();
            let info: serde_json::Value =
                serde_json::from_slice(&body).map_err(kube::Error::SerdeError)?;
            let there = date.and_then(|date| {
                let date = DateTimeParser::new().parse_timestamp(date.as_bytes());
                date.ok().map(Timestamp::as_second)
            });
            Ok(Version {
                name: info["gitVersion"].as_str().unwrap_or("unknown").to_owned(),
                number: number(&info["major"]).zip(number(&info["minor"])),
                ahead: there.map(|there| there - here),
            })
        })
        .await
    }
}

/// The digits that a member begins with: providers write `33+`.
fn number(member: &serde_json::Value) -> Option<u32> {
    let text = member.as_str()?;
    let end = text.find(|c: char| !c.is_ascii_digit());
    text[..end.unwrap_or(text.len())].parse().ok()
}

async fn in_time<T>(answer: impl Future<Output = kube::Result<T>>) -> Look<T> {
    match tokio::time::timeout(PATIENCE, answer).await {
        Ok(Ok(seen)) => Look::Seen(seen),
        Ok(Err(kube::Error::Api(status))) if status.code == 404 => Look::Absent,
        Ok(Err(kube::Error::Api(status))) => Look::Unknown(status.message),
        Ok(Err(error)) => Look::Unknown(told(&error)),
        Err(_) => Look::Unknown(late()),
    }
}

fn late() -> String {
    format!("no answer within {} seconds", PATIENCE.as_secs())
}

/// The innermost cause: what is around it repeats it or says nothing.
fn told(error: &kube::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
