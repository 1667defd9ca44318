//! A route as the wire writes it.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::refusal::RefusalForm;
use super::signing::SigningForm;
use super::varying::{self, PieceForm};
use crate::Secret;
use crate::bundle::{
    ClientCertificate, Forwarding, OnConflict, Placed, Refusal, Route, Timeouts, Value,
};

/// What is absent is as usual, so that a sidecar that does not know a field
/// serves every collection that does without it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RouteForm<'a> {
    base_url: String,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    path: Option<Cow<'a, str>>,
    headers: Vec<PlacedForm<'a>>,
    query: Vec<PlacedForm<'a>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    cookies: Vec<PlacedForm<'a>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    body: Vec<PlacedForm<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    sig_v4: Option<SigningForm<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trust: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_certificate: Option<ClientCertificateForm<'a>>,
    allow_private_networks: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    forwarding: Option<ForwardingForm>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timeouts: Option<TimeoutsForm>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    refusal: Option<RefusalForm<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sidecar_port: Option<u16>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PlacedForm<'a> {
    name: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    varying: Option<Vec<PieceForm<'a>>>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    private: bool,
    on_conflict: OnConflictForm,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClientCertificateForm<'a> {
    chain: Cow<'a, str>,
    key: Cow<'a, str>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ForwardingForm {
    via: bool,
    forwarded: bool,
    rewrite_location: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TimeoutsForm {
    connect_seconds: u64,
    first_byte_seconds: u64,
    idle_seconds: u64,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum OnConflictForm {
    Replace,
    IfAbsent,
    Reject,
}

impl<'a> From<&'a Route> for RouteForm<'a> {
    fn from(route: &'a Route) -> Self {
        let placed = |list: &'a [Placed]| list.iter().map(PlacedForm::from).collect();
        let forwarding = route.forwarding;
        let timeouts = route.timeouts;
        Self {
            base_url: route.base_url.to_string(),
            path: route.path.as_ref().map(|path| path.expose().into()),
            headers: placed(&route.headers),
            query: placed(&route.query),
            cookies: placed(&route.cookies),
            body: placed(&route.body),
            sig_v4: route.signing.as_ref().map(SigningForm::from),
            trust: route.trust.as_deref().map(Cow::Borrowed),
            client_certificate: route.client_certificate.as_deref().map(|shown| {
                ClientCertificateForm {
                    chain: Cow::Borrowed(&shown.chain),
                    key: shown.key.expose().into(),
                }
            }),
            allow_private_networks: route.allow_private_networks,
            forwarding: (forwarding != Forwarding::default()).then_some(ForwardingForm {
                via: forwarding.via,
                forwarded: forwarding.forwarded,
                rewrite_location: forwarding.rewrite_location,
            }),
            timeouts: (timeouts != Timeouts::default()).then_some(TimeoutsForm {
                connect_seconds: timeouts.connect.as_secs(),
                first_byte_seconds: timeouts.first_byte.as_secs(),
                idle_seconds: timeouts.idle.as_secs(),
            }),
            refusal: (route.refusal != Refusal::default()).then(|| (&route.refusal).into()),
            sidecar_port: route.sidecar_port,
        }
    }
}

impl TryFrom<RouteForm<'_>> for Route {
    /// The part that cannot be understood.
    type Error = &'static str;

    fn try_from(form: RouteForm<'_>) -> Result<Self, Self::Error> {
        let placed = |list: Vec<PlacedForm<'_>>| -> Result<Vec<Placed>, &'static str> {
            list.into_iter().map(Placed::try_from).collect()
        };
        Ok(Self {
            base_url: form.base_url.parse().map_err(|_| "baseUrl")?,
            path: form.path.map(Secret::new),
            headers: placed(form.headers)?,
            query: placed(form.query)?,
            cookies: placed(form.cookies)?,
            body: placed(form.body)?,
            signing: form.sig_v4.map(TryFrom::try_from).transpose()?,
            trust: form.trust.as_deref().map(Arc::from),
            client_certificate: form.client_certificate.map(|shown| {
                Arc::new(ClientCertificate {
                    chain: Arc::from(&*shown.chain),
                    key: Secret::new(shown.key),
                })
            }),
            allow_private_networks: form.allow_private_networks,
            forwarding: form
                .forwarding
                .map_or_else(Forwarding::default, |form| Forwarding {
                    via: form.via,
                    forwarded: form.forwarded,
                    rewrite_location: form.rewrite_location,
                }),
            timeouts: form
                .timeouts
                .map_or_else(Timeouts::default, |form| Timeouts {
                    connect: Duration::from_secs(form.connect_seconds),
                    first_byte: Duration::from_secs(form.first_byte_seconds),
                    idle: Duration::from_secs(form.idle_seconds),
                }),
            refusal: match form.refusal {
                Some(form) => form.try_into()?,
                None => Refusal::default(),
            },
            sidecar_port: form.sidecar_port,
        })
    }
}

impl<'a> From<&'a Placed> for PlacedForm<'a> {
    fn from(placed: &'a Placed) -> Self {
        let (value, varying) = match &placed.value {
            Value::Fixed(secret) => (Some(secret.expose().into()), None),
            Value::Varying(varying) => (None, Some(varying::form(varying))),
        };
        Self {
            name: placed.name.as_str().into(),
            value,
            varying,
            private: placed.private,
            on_conflict: placed.on_conflict.into(),
        }
    }
}

impl TryFrom<PlacedForm<'_>> for Placed {
    type Error = &'static str;

    fn try_from(form: PlacedForm<'_>) -> Result<Self, Self::Error> {
        let value = match (form.value, form.varying) {
            (Some(value), None) => Value::Fixed(Secret::new(value)),
            (None, Some(varying)) => Value::Varying(varying::read(varying)?),
            _ => return Err("value"),
        };
        Ok(Self {
            name: form.name.into_owned(),
            value,
            private: form.private,
            on_conflict: form.on_conflict.into(),
        })
    }
}

impl From<OnConflict> for OnConflictForm {
    fn from(on_conflict: OnConflict) -> Self {
        match on_conflict {
            OnConflict::Replace => Self::Replace,
            OnConflict::IfAbsent => Self::IfAbsent,
            OnConflict::Reject => Self::Reject,
        }
    }
}

impl From<OnConflictForm> for OnConflict {
    fn from(form: OnConflictForm) -> Self {
        match form {
            OnConflictForm::Replace => Self::Replace,
            OnConflictForm::IfAbsent => Self::IfAbsent,
            OnConflictForm::Reject => Self::Reject,
        }
    }
}
