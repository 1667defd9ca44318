//! The keys by which calls are signed.

use super::placing::Source;
use super::{Case, SecretObject, Unresolved};
use crate::base_url::Scheme;
use crate::collection::{AwsSigV4, Method, SignedPayload};
use crate::sigv4::{self, Payload, Signing, SigningKey};
use crate::template::{Scope, Template};
use crate::{BaseUrl, Secret};

/// The templates of the method that may refer to the Secret.
pub(super) fn sources(method: &Method) -> impl Iterator<Item = Source<'_>> {
    let signed = match method {
        Method::AwsSigV4(signed) => Some(signed),
        Method::None
        | Method::ApiKey { .. }
        | Method::Basic { .. }
        | Method::ClientCertificate
        | Method::Token(_)
        | Method::SignedJwt(_) => None,
    };
    signed.into_iter().flat_map(|signed| {
        [
            Some(access_key_id(signed)),
            Some(secret_access_key(signed)),
            session_token(signed),
        ]
        .into_iter()
        .flatten()
    })
}

fn source<'a>(member: &str, template: &'a Template) -> Source<'a> {
    Source {
        field: format!("spec.auth.awsSigV4.{member}"),
        template,
    }
}

fn access_key_id(signed: &AwsSigV4) -> Source<'_> {
    source("accessKeyId", &signed.access_key_id)
}

fn secret_access_key(signed: &AwsSigV4) -> Source<'_> {
    source("secretAccessKey", &signed.secret_access_key)
}

fn session_token(signed: &AwsSigV4) -> Option<Source<'_>> {
    let template = signed.session_token.as_ref()?;
    Some(source("sessionToken", template))
}

impl Case<'_> {
    /// How calls are signed, if they are: with the keys of some days, and
    /// without what these are made from.
    pub(super) fn signing(
        &self,
        secret: Option<&SecretObject>,
        base_url: &BaseUrl,
    ) -> Result<Option<Signing>, Unresolved> {
        let Method::AwsSigV4(signed) = &self.collection.method else {
            return Ok(None);
        };
        let scope = self.scope(secret, Some(base_url));
        let region = source("region", &signed.region);
        let region = self.part(&region, scope, "region", sigv4::offending_in_scope)?;
        let service = source("service", &signed.service);
        let service = self.part(&service, scope, "service", sigv4::offending_in_scope)?;
        let id = access_key_id(signed);
        let access_key_id = self.part(&id, scope, "access key id", sigv4::offending_in_id)?;
        let session_token = session_token(signed)
            .map(|token| self.part(&token, scope, "session token", space_or_control))
            .transpose()?;
        let key = secret_access_key(signed);
        let key = self.part(&key, scope, "secret access key", space_or_control)?;
        let (region, service) = (region.expose(), service.expose());
        let of_day = |day| (day, SigningKey::derive(key.expose(), day, region, service));
        Ok(Some(Signing {
            payload: payload(signed.payload, service, base_url),
            region: region.to_owned(),
            service: service.to_owned(),
            access_key_id,
            session_token,
            keys: sigv4::days(self.now).map(of_day).into(),
        }))
    }

    fn part(
        &self,
        source: &Source<'_>,
        scope: Scope<'_>,
        noun: &str,
        offending: fn(&str) -> Option<char>,
    ) -> Result<Secret, Unresolved> {
        let value = self.render_fixed(source, scope)?;
        match offending(value.expose()) {
            Some(found) => Err(self.unsignable(source, noun, found)),
            None => Ok(value),
        }
    }
}

fn space_or_control(text: &str) -> Option<char> {
    text.chars().find(|c| !c.is_ascii_graphic())
}

/// TLS protects what is not signed, where there is TLS; of the services only
/// S3 takes what is not signed.
fn payload(wanted: SignedPayload, service: &str, base_url: &BaseUrl) -> Payload {
    match wanted {
        SignedPayload::Signed => Payload::Signed,
        SignedPayload::Unsigned => Payload::Unsigned,
        SignedPayload::Auto if sigv4::is_s3(service) && base_url.scheme() == Scheme::Https => {
            Payload::Unsigned
        }
        SignedPayload::Auto => Payload::Signed,
    }
}
