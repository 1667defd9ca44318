//! A text that is new on each call, as the wire writes it.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use zeroize::Zeroizing;

use crate::template::filter::{BytesFilter, Encoding, Filter, HmacKey, TextFilter};
use crate::template::{CallVariable, Piece, Varying};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum PieceForm<'a> {
    Text(Cow<'a, str>),
    Variable(VariableForm),
    /// The field of this name, or where it is empty the access token itself.
    Token(Cow<'a, str>),
    Filtered(FilteredForm<'a>),
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum VariableForm {
    Uuid,
    NowUnix,
    NowIso8601,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FilteredForm<'a> {
    pieces: Vec<PieceForm<'a>>,
    filters: Vec<FilterForm>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
enum FilterForm {
    Encode(EncodingForm),
    Sha256(EncodingForm),
    HmacSha256 {
        /// In base64.
        key: Zeroizing<String>,
        encoding: EncodingForm,
    },
    Urlencode,
    Upper,
    Lower,
    Trim,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum EncodingForm {
    Base64,
    Base64Url,
    Hex,
}

/// The form of a text.
pub(super) fn form(varying: &Varying) -> Vec<PieceForm<'_>> {
    varying.0.iter().map(PieceForm::from).collect()
}

/// The text of a form.
///
/// # Errors
/// The part that cannot be understood.
pub(super) fn read(form: Vec<PieceForm<'_>>) -> Result<Varying, &'static str> {
    Ok(Varying(pieces(form)?))
}

/// What the wire writes can be read alone, too.
impl<'de> Deserialize<'de> for Varying {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(Vec::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

fn pieces(form: Vec<PieceForm<'_>>) -> Result<Vec<Piece<CallVariable>>, &'static str> {
    form.into_iter().map(Piece::try_from).collect()
}

impl<'a> From<&'a Piece<CallVariable>> for PieceForm<'a> {
    fn from(piece: &'a Piece<CallVariable>) -> Self {
        match piece {
            Piece::Text(text) => Self::Text(text.as_str().into()),
            Piece::Variable(CallVariable::Uuid) => Self::Variable(VariableForm::Uuid),
            Piece::Variable(CallVariable::NowUnix) => Self::Variable(VariableForm::NowUnix),
            Piece::Variable(CallVariable::NowIso8601) => Self::Variable(VariableForm::NowIso8601),
            Piece::Variable(CallVariable::Token(field)) => {
                Self::Token(field.as_deref().unwrap_or_default().into())
            }
            Piece::Filtered { pieces, filters } => Self::Filtered(FilteredForm {
                pieces: pieces.iter().map(PieceForm::from).collect(),
                filters: filters.iter().map(FilterForm::from).collect(),
            }),
        }
    }
}

impl TryFrom<PieceForm<'_>> for Piece<CallVariable> {
    type Error = &'static str;

    fn try_from(form: PieceForm<'_>) -> Result<Self, Self::Error> {
        Ok(match form {
            PieceForm::Text(text) => Self::Text(Zeroizing::new(text.into_owned())),
            PieceForm::Variable(variable) => Self::Variable(variable.into()),
            PieceForm::Token(field) => Self::Variable(CallVariable::Token(
                Some(field.as_ref())
                    .filter(|field| !field.is_empty())
                    .map(Into::into),
            )),
            PieceForm::Filtered(form) => Self::Filtered {
                pieces: pieces(form.pieces)?,
                filters: form
                    .filters
                    .into_iter()
                    .map(Filter::try_from)
                    .collect::<Result<_, _>>()?,
            },
        })
    }
}

impl From<VariableForm> for CallVariable {
    fn from(form: VariableForm) -> Self {
        match form {
            VariableForm::Uuid => Self::Uuid,
            VariableForm::NowUnix => Self::NowUnix,
            VariableForm::NowIso8601 => Self::NowIso8601,
        }
    }
}

impl From<&Filter<HmacKey>> for FilterForm {
    fn from(filter: &Filter<HmacKey>) -> Self {
        match filter {
            Filter::Bytes(BytesFilter::Encode(encoding)) => Self::Encode((*encoding).into()),
            Filter::Bytes(BytesFilter::Sha256(encoding)) => Self::Sha256((*encoding).into()),
            Filter::Bytes(BytesFilter::HmacSha256 { key, encoding }) => Self::HmacSha256 {
                key: Zeroizing::new(STANDARD.encode(key)),
                encoding: (*encoding).into(),
            },
            Filter::Text(TextFilter::UrlEncode) => Self::Urlencode,
            Filter::Text(TextFilter::Upper) => Self::Upper,
            Filter::Text(TextFilter::Lower) => Self::Lower,
            Filter::Text(TextFilter::Trim) => Self::Trim,
        }
    }
}

impl TryFrom<FilterForm> for Filter<HmacKey> {
    type Error = &'static str;

    fn try_from(form: FilterForm) -> Result<Self, Self::Error> {
        Ok(match form {
            FilterForm::Encode(encoding) => Self::Bytes(BytesFilter::Encode(encoding.into())),
            FilterForm::Sha256(encoding) => Self::Bytes(BytesFilter::Sha256(encoding.into())),
            FilterForm::HmacSha256 { key, encoding } => Self::Bytes(BytesFilter::HmacSha256 {
                key: Zeroizing::new(STANDARD.decode(key.as_bytes()).map_err(|_| "key")?),
                encoding: encoding.into(),
            }),
            FilterForm::Urlencode => Self::Text(TextFilter::UrlEncode),
            FilterForm::Upper => Self::Text(TextFilter::Upper),
            FilterForm::Lower => Self::Text(TextFilter::Lower),
            FilterForm::Trim => Self::Text(TextFilter::Trim),
        })
    }
}

impl From<Encoding> for EncodingForm {
    fn from(encoding: Encoding) -> Self {
        match encoding {
            Encoding::Base64 => Self::Base64,
            Encoding::Base64Url => Self::Base64Url,
            Encoding::Hex => Self::Hex,
        }
    }
}

impl From<EncodingForm> for Encoding {
    fn from(form: EncodingForm) -> Self {
        match form {
            EncodingForm::Base64 => Self::Base64,
            EncodingForm::Base64Url => Self::Base64Url,
            EncodingForm::Hex => Self::Hex,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_piece() -> Varying {
        let encoded = Encoding::Base64Url;
        Varying(vec![
            Piece::Text(Zeroizing::new("Bearer \"k\"".to_owned())),
            Piece::Variable(CallVariable::Uuid),
            Piece::Variable(CallVariable::Token(None)),
            Piece::Filtered {
                pieces: vec![
                    Piece::Variable(CallVariable::Token(Some("realm".into()))),
                    Piece::Variable(CallVariable::NowUnix),
                    Piece::Filtered {
                        pieces: vec![Piece::Variable(CallVariable::NowIso8601)],
                        filters: vec![
                            Filter::Text(TextFilter::Upper),
                            Filter::Text(TextFilter::Lower),
                            Filter::Text(TextFilter::Trim),
                            Filter::Text(TextFilter::UrlEncode),
                        ],
                    },
                ],
                filters: vec![
                    Filter::Bytes(BytesFilter::HmacSha256 {
                        key: Zeroizing::new(vec![0xff, 0x00]),
                        encoding: Encoding::Hex,
                    }),
                    Filter::Bytes(BytesFilter::Sha256(Encoding::Base64)),
                    Filter::Bytes(BytesFilter::Encode(encoded)),
                ],
            },
        ])
    }

    #[test]
    fn every_piece_survives_the_wire() {
        let written = serde_json::to_string(&form(&every_piece())).unwrap();
        assert_eq!(
            written,
            r#"[{"text":"Bearer \"k\""},{"variable":"uuid"},{"token":""},{"filtered":{"pieces":[{"token":"realm"},{"variable":"nowUnix"},{"filtered":{"pieces":[{"variable":"nowIso8601"}],"filters":["upper","lower","trim","urlencode"]}}],"filters":[{"hmacSha256":{"key":"/wA=","encoding":"hex"}},{"sha256":"base64"},{"encode":"base64url"}]}}]"#
        );
        let form: Vec<PieceForm<'_>> = serde_json::from_str(&written).unwrap();
        assert!(read(form) == Ok(every_piece()));
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for unknown in [
            r#"[{"text":"a","later":1}]"#,
            r#"[{"later":"a"}]"#,
            r#"[{"variable":"now.year"}]"#,
            r#"[{"filtered":{"pieces":[],"filters":[],"later":1}}]"#,
            r#"[{"filtered":{"pieces":[],"filters":["rot13"]}}]"#,
            r#"[{"filtered":{"pieces":[],"filters":[{"encode":"base32"}]}}]"#,
            r#"[{"filtered":{"pieces":[],"filters":[{"hmacSha256":{"key":"!","encoding":"hex"}}]}}]"#,
            r#"[{"filtered":{"pieces":[],"filters":[{"hmacSha256":{"key":"","encoding":"hex","later":1}}]}}]"#,
        ] {
            let form = serde_json::from_str::<Vec<PieceForm<'_>>>(unknown);
            assert!(
                form.is_err() || form.is_ok_and(|form| read(form).is_err()),
                "{unknown}"
            );
        }
    }
}
