//! How calls are signed, as the wire writes it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::Secret;
use crate::sigv4::{Payload, Signing, SigningKey};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SigningForm<'a> {
    region: Cow<'a, str>,
    service: Cow<'a, str>,
    access_key_id: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session_token: Option<Cow<'a, str>>,
    payload: PayloadForm,
    /// In base64, by day.
    keys: BTreeMap<Date, Zeroizing<String>>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum PayloadForm {
    Signed,
    Unsigned,
}

impl<'a> From<&'a Signing> for SigningForm<'a> {
    fn from(signing: &'a Signing) -> Self {
        let key = |(day, key): (&Date, &SigningKey)| (*day, STANDARD.encode(key.expose()).into());
        Self {
            region: signing.region.as_str().into(),
            service: signing.service.as_str().into(),
            access_key_id: signing.access_key_id.expose().into(),
            session_token: signing
                .session_token
                .as_ref()
                .map(|token| token.expose().into()),
            payload: match signing.payload {
                Payload::Signed => PayloadForm::Signed,
                Payload::Unsigned => PayloadForm::Unsigned,
            },
            keys: signing.keys.iter().map(key).collect(),
        }
    }
}

impl TryFrom<SigningForm<'_>> for Signing {
    /// The part that cannot be understood.
    type Error = &'static str;

    fn try_from(form: SigningForm<'_>) -> Result<Self, Self::Error> {
        let key = |(day, key): (Date, Zeroizing<String>)| {
            let bytes = Zeroizing::new(STANDARD.decode(key.as_bytes()).ok()?);
            Some((day, SigningKey::of_bytes(&bytes)?))
        };
        let keys = form.keys.into_iter().map(key).collect::<Option<_>>();
        Ok(Self {
            region: form.region.into_owned(),
            service: form.service.into_owned(),
            access_key_id: Secret::new(form.access_key_id),
            session_token: form.session_token.map(Secret::new),
            payload: match form.payload {
                PayloadForm::Signed => Payload::Signed,
                PayloadForm::Unsigned => Payload::Unsigned,
            },
            keys: keys.ok_or("sigV4.keys")?,
        })
    }
}
