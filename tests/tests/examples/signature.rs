//! What AWS works out from a request that has arrived.

use credence_core::Secret;
use credence_core::sigv4::{Content, FIELDS, Head, Payload, Signing, SigningKey};
use jiff::{SignedDuration, Timestamp};

use crate::judge::Known;
use crate::provider::Arrived;

/// AWS refuses what is older.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// The `Authorization` that the request must have.
pub(crate) fn expected(
    arrived: &Arrived,
    known: &Known,
    service: &str,
    region: &str,
) -> Result<String, String> {
    let [date] = arrived.values("x-amz-date")[..] else {
        return Err("there is not one x-amz-date".to_owned());
    };
    let at = jiff::fmt::strtime::parse("%Y%m%dT%H%M%SZ", date);
    let at = at.and_then(|at| at.to_datetime());
    let at = at.and_then(|at| jiff::tz::TimeZone::UTC.to_timestamp(at));
    let at = at.map_err(|error| format!("x-amz-date: {error}"))?;
    if at.duration_until(Timestamp::now()).abs() > TOLERANCE {
        return Err(format!("{at} is not now"));
    }
    let day = jiff::tz::TimeZone::UTC.to_datetime(at).date();
    let signing = Signing {
        region: region.to_owned(),
        service: service.to_owned(),
        access_key_id: Secret::new(known["access-key-id"].as_str()),
        session_token: None,
        payload: Payload::Signed,
        keys: [(
            day,
            SigningKey::derive(&known["secret-access-key"], day, region, service),
        )]
        .into(),
    };
    let content = match arrived.values("x-amz-content-sha256")[..] {
        ["UNSIGNED-PAYLOAD"] => Content::Unsigned,
        _ => Content::Signed(arrived.body.as_bytes()),
    };
    // AWS signs what the list names, and the list must hold these.
    let is_listed = |name: &str| {
        let added = FIELDS.iter().any(|field| field.eq_ignore_ascii_case(name));
        !added && (name == "host" || name == "content-type" || name.starts_with("x-amz-"))
    };
    let fields = arrived.fields.iter();
    let fields: Vec<(&str, &[u8])> = fields
        .filter(|(name, _)| is_listed(name))
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .collect();
    let (path, query) = match arrived.target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (arrived.target.as_str(), None),
    };
    let head = Head {
        method: &arrived.method,
        path,
        query,
        fields: &fields,
    };
    let signed = signing.sign(&head, content, at);
    let signed = signed.map_err(|error| error.to_string())?;
    let authorization = signed.iter().find(|(name, _)| *name == "Authorization");
    Ok(authorization.ok_or("nothing was signed")?.1.to_string())
}
