//! Which answers refuse a token.

use credence_core::bundle::{BodySign, Refusal, Retry, Sign};
use credence_core::collection::Method;
use credence_core::token::FieldPath;

use super::Reader;
use crate::api_collection::ApiCollectionSpec;
use crate::refusal::{RefreshOn, RetryOnUnauthorized};

impl Reader {
    pub(super) fn refusal(&mut self, spec: &ApiCollectionSpec, method: Option<&Method>) -> Refusal {
        let usual = Refusal::default();
        if !matches!(method, Some(Method::Token(_) | Method::SignedJwt(_)) | None) {
            let without_effect = [
                ("spec.refreshOn", spec.refresh_on.is_some()),
                (
                    "spec.retryOnUnauthorized",
                    spec.retry_on_unauthorized.is_some(),
                ),
            ];
            for (field, _) in without_effect.into_iter().filter(|(_, is_there)| *is_there) {
                let message =
                    "is for methods that obtain a token: remove it, nothing else can be renewed";
                self.problem(field, message);
            }
        }
        let signs = spec.refresh_on.as_ref().map(|signs| {
            let signs = signs.iter().enumerate();
            signs.filter_map(|(at, sign)| self.sign(at, sign)).collect()
        });
        Refusal {
            signs: signs.unwrap_or(usual.signs),
            retry: match spec.retry_on_unauthorized.unwrap_or_default() {
                RetryOnUnauthorized::Never => Retry::Never,
                RetryOnUnauthorized::Safe => Retry::Safe,
                RetryOnUnauthorized::Always => Retry::Always,
            },
        }
    }

    fn sign(&mut self, at: usize, sign: &RefreshOn) -> Option<Sign> {
        let field = |name: &str| format!("spec.refreshOn[{at}].{name}");
        let status = u16::try_from(sign.status).ok();
        let status = status.filter(|status| (200..=599).contains(status));
        if status.is_none() {
            self.problem(field("status"), "must be from 200 to 599");
        }
        let body = match (&sign.body_path, &sign.body_equals) {
            (None, None) => None,
            (Some(path), Some(equals)) => Some(BodySign {
                path: self.keep(&field("bodyPath"), path.parse::<FieldPath>())?,
                equals: equals.clone(),
            }),
            (Some(_), None) => {
                self.problem(
                    field("bodyEquals"),
                    "is required by bodyPath: write what is there",
                );
                return None;
            }
            (None, Some(_)) => {
                self.problem(
                    field("bodyPath"),
                    "is required by bodyEquals: write where that is",
                );
                return None;
            }
        };
        Some(Sign {
            status: status?,
            body,
        })
    }
}
