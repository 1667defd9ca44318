//! What refuses a token, as the wire writes it.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::bundle::{BodySign, Refusal, Retry, Sign};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RefusalForm<'a> {
    #[serde(borrow)]
    signs: Vec<SignForm<'a>>,
    retry: RetryForm,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SignForm<'a> {
    status: u16,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    body: Option<BodyForm<'a>>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct BodyForm<'a> {
    path: Cow<'a, str>,
    equals: Cow<'a, str>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RetryForm {
    Never,
    Safe,
    Always,
}

impl<'a> From<&'a Refusal> for RefusalForm<'a> {
    fn from(refusal: &'a Refusal) -> Self {
        let body = |body: &'a BodySign| BodyForm {
            path: body.path.as_str().into(),
            equals: body.equals.as_str().into(),
        };
        let sign = |sign: &'a Sign| SignForm {
            status: sign.status,
            body: sign.body.as_ref().map(body),
        };
        Self {
            signs: refusal.signs.iter().map(sign).collect(),
            retry: match refusal.retry {
                Retry::Never => RetryForm::Never,
                Retry::Safe => RetryForm::Safe,
                Retry::Always => RetryForm::Always,
            },
        }
    }
}

impl TryFrom<RefusalForm<'_>> for Refusal {
    /// The part that cannot be understood.
    type Error = &'static str;

    fn try_from(form: RefusalForm<'_>) -> Result<Self, Self::Error> {
        let body = |body: BodyForm<'_>| {
            Ok(BodySign {
                path: body.path.parse().map_err(|_| "refusal")?,
                equals: body.equals.into_owned(),
            })
        };
        let sign = |sign: SignForm<'_>| {
            Ok(Sign {
                status: sign.status,
                body: sign.body.map(body).transpose()?,
            })
        };
        Ok(Self {
            signs: form.signs.into_iter().map(sign).collect::<Result<_, _>>()?,
            retry: match form.retry {
                RetryForm::Never => Retry::Never,
                RetryForm::Safe => Retry::Safe,
                RetryForm::Always => Retry::Always,
            },
        })
    }
}
