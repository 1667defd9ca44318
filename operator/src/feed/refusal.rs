//! Why the feed refuses, and what a sidecar hears about it.

use std::time::Duration;

use http::{HeaderValue, Response, StatusCode, header};

use crate::server::{Body, text};

/// A closed list. The text says what is wrong without quoting the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No bearer token.
    #[error("a bearer token is required")]
    NoToken,
    /// The API server does not know the token.
    #[error("the token is not valid")]
    NotAuthenticated,
    /// The token is too old.
    #[error("the token has expired")]
    Expired,
    /// The token is for someone else.
    #[error("the token is not for this audience")]
    WrongAudience,
    /// A user or another kind of account.
    #[error("the token is not a ServiceAccount's")]
    NotAServiceAccount,
    /// A token that outlives its pod.
    #[error("the token is not bound to a pod")]
    NotBound,
    /// The pod does not exist.
    #[error("the pod does not exist")]
    NoPod,
    /// There is another pod of the same name.
    #[error("the token is bound to another pod of this name")]
    OtherPod,
    /// The pod runs as someone else.
    #[error("the pod has another ServiceAccount")]
    OtherServiceAccount,
    /// Nobody injected the pod.
    #[error("the pod has no sidecar container")]
    NoSidecar,
    /// The container of that name runs something else.
    #[error("the sidecar container has another image")]
    OtherImage,
    /// It would show the token to somebody else as well.
    #[error("the sidecar container has another feed, or trusts another authority")]
    OtherFeed,
    /// The pod cannot be followed.
    #[error("the pod lacks the label credence.dev/injected")]
    NotInjected,
    /// The token proves the pod, and not only its sidecar.
    #[error("another container of the pod can reach the sidecar's token or memory")]
    TokenElsewhere,
    /// Whatever runs on the node could use the proxy.
    #[error("the pod is in its node's network, where the proxy would be everybody's")]
    HostNetwork,
    /// Nothing of the pod runs any more.
    #[error("the pod is finished")]
    Finished,
    /// Live credentials would be in memory that the app can read.
    #[error("the pod shares its process namespace, which live credentials do not allow")]
    SharesProcesses,
    /// The annotation that names collections cannot be read.
    #[error("the pod's annotation credence.dev/collections cannot be read")]
    BadAnnotation,
    /// This replica has not seen enough of the cluster yet.
    #[error("this replica is not ready")]
    NotReady,
    /// The API server did not answer.
    #[error("the API server cannot be asked now")]
    ApiServer,
    /// Many failed before, or this one goes on and on.
    #[error("there were too many requests")]
    TooMany,
    /// The pod has more streams than a sidecar has use for.
    #[error("the pod has too many streams")]
    TooManyStreams,
    /// The connection has a stream already.
    #[error("this connection has a stream")]
    SecondStream,
    /// An acknowledgement or a report on a connection without that stream.
    #[error("this connection has no such stream")]
    NoStream,
    /// The body is too long or not an acknowledgement.
    #[error("the body is not an acknowledgement")]
    BadAck,
    /// The body is too long or not a report.
    #[error("the body is not a report")]
    BadReport,
    /// A report on something that this stream was not sent.
    #[error("the collection is not in this stream's bundle")]
    NotInBundle,
    /// A report that contradicts another one of just now.
    #[error("there was another report on this collection just now")]
    TooSoon,
    /// No such path, or not with this method.
    #[error("there are GET /v1/feed, POST /v1/ack and POST /v1/report")]
    NotFound,
}

/// After which a sidecar may try again what is only wrong for now.
const RETRY_AFTER: Duration = Duration::from_secs(1);

impl Refusal {
    /// For the metric and the log.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::NoToken => "no-token",
            Self::NotAuthenticated => "not-authenticated",
            Self::Expired => "expired",
            Self::WrongAudience => "wrong-audience",
            Self::NotAServiceAccount => "not-a-service-account",
            Self::NotBound => "not-bound",
            Self::NoPod => "no-pod",
            Self::OtherPod => "other-pod",
            Self::OtherServiceAccount => "other-service-account",
            Self::NoSidecar => "no-sidecar",
            Self::OtherImage => "other-image",
            Self::OtherFeed => "other-feed",
            Self::NotInjected => "not-injected",
            Self::TokenElsewhere => "token-elsewhere",
            Self::HostNetwork => "host-network",
            Self::Finished => "finished",
            Self::SharesProcesses => "shares-processes",
            Self::BadAnnotation => "bad-annotation",
            Self::NotReady => "not-ready",
            Self::ApiServer => "api-server",
            Self::TooMany => "too-many",
            Self::TooManyStreams => "too-many-streams",
            Self::SecondStream => "second-stream",
            Self::NoStream => "no-stream",
            Self::BadAck => "bad-ack",
            Self::BadReport => "bad-report",
            Self::NotInBundle => "not-in-bundle",
            Self::TooSoon => "too-soon",
            Self::NotFound => "not-found",
        }
    }

    /// Unauthenticated, forbidden, wrong, or only not now.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::NoToken | Self::NotAuthenticated | Self::Expired | Self::WrongAudience => {
                StatusCode::UNAUTHORIZED
            }
            Self::NotAServiceAccount
            | Self::NotBound
            | Self::NoPod
            | Self::OtherPod
            | Self::OtherServiceAccount
            | Self::NoSidecar
            | Self::OtherImage
            | Self::OtherFeed
            | Self::NotInjected
            | Self::TokenElsewhere
            | Self::HostNetwork
            | Self::Finished
            | Self::SharesProcesses
            | Self::BadAnnotation
            | Self::NotInBundle => StatusCode::FORBIDDEN,
            Self::NotReady | Self::ApiServer => StatusCode::SERVICE_UNAVAILABLE,
            Self::TooMany | Self::TooManyStreams => StatusCode::TOO_MANY_REQUESTS,
            Self::SecondStream | Self::NoStream => StatusCode::CONFLICT,
            Self::BadAck | Self::BadReport => StatusCode::BAD_REQUEST,
            Self::TooSoon => StatusCode::TOO_MANY_REQUESTS,
            Self::NotFound => StatusCode::NOT_FOUND,
        }
    }

    /// Whether it is the fault of who asked, and not of ours.
    pub const fn is_of_the_asker(self) -> bool {
        !matches!(
            self,
            Self::NotReady | Self::ApiServer | Self::SecondStream | Self::TooManyStreams
        )
    }

    /// The answer.
    pub fn response(self) -> Response<Body> {
        let mut response = text(self.status(), format!("{self}\n"));
        let headers = response.headers_mut();
        match self.status() {
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                headers.insert(
                    header::RETRY_AFTER,
                    HeaderValue::from(RETRY_AFTER.as_secs()),
                );
            }
            _ => {}
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_by_itself_may_be_tried_again() {
        for (refusal, status) in [
            (Refusal::NotReady, StatusCode::SERVICE_UNAVAILABLE),
            (Refusal::TooMany, StatusCode::TOO_MANY_REQUESTS),
        ] {
            let response = refusal.response();
            assert_eq!(response.status(), status);
            assert_eq!(response.headers()[header::RETRY_AFTER], "1");
        }
        assert!(
            !Refusal::OtherPod
                .response()
                .headers()
                .contains_key(header::RETRY_AFTER)
        );
    }

    #[test]
    fn the_unknown_are_asked_for_a_token() {
        let response = Refusal::WrongAudience.response();
        assert_eq!(response.headers()[header::WWW_AUTHENTICATE], "Bearer");
    }
}
