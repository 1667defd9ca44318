//! What JWTs say, and what they are signed with.

use std::collections::BTreeMap;
use std::time::Duration;

use credence_core::collection::{Audience, FieldValue, JwtSettings, Method, SignedJwt};
use credence_core::jwt::algorithm::KeyKind;
use credence_core::jwt::{self, Algorithm};
use credence_core::template::Template;
use serde_json::Value;

use super::Reader;
use crate::jwt::{Jwt, JwtAlgorithm, KeyFormat};

/// The least that is left of a JWT when calls begin to be made with it.
const SHORTEST_SENT: Duration = Duration::from_secs(30);

/// A block that is being read.
pub(super) struct JwtBlock<'a> {
    /// Where it stands.
    pub(super) field: String,
    pub(super) jwt: &'a Jwt,
    /// The algorithm, where it says none.
    pub(super) usual: Algorithm,
    /// What signs it instead of its own key.
    pub(super) key: Option<Template>,
    /// Whether each has a claim `jti` of its own.
    pub(super) numbered: bool,
    /// Why the claim `aud` must be given, if it must.
    pub(super) audience_needed: Option<&'static str>,
}

impl Reader {
    pub(super) fn signed_jwt(&mut self, signed: &crate::SignedJwt) -> Option<Method> {
        let block = JwtBlock::new("spec.auth.signedJwt.jwt", &signed.jwt);
        let jwt = self.jwt(&block);
        let jwt = jwt.filter(|jwt| self.lasts(&block, jwt));
        let placed = self.placed("spec.auth.signedJwt.placement", signed.placement.as_ref());
        Some(Method::SignedJwt(Box::new(SignedJwt {
            jwt: jwt?,
            placement: placed?,
        })))
    }

    pub(super) fn jwt(&mut self, block: &JwtBlock<'_>) -> Option<JwtSettings> {
        let jwt = block.jwt;
        let algorithm = jwt.algorithm.map_or(block.usual, Into::into);
        let key = self.jwt_key(block);
        let has_fingerprint = algorithm.key_kind() != KeyKind::Shared;
        let key_id = self.jwt_text(block, has_fingerprint, "keyId", jwt.key_id.as_deref());
        let field = block.field("certificate");
        let certificate = jwt.certificate.as_deref();
        let certificate = certificate.and_then(|text| self.fixed(&field, text));
        if certificate.is_some() && !has_fingerprint {
            self.problem(
                field,
                format!("is not used by algorithm: {algorithm}: remove it"),
            );
        }
        let issuer = self.jwt_text(block, has_fingerprint, "issuer", jwt.issuer.as_deref());
        let subject = self.jwt_text(block, has_fingerprint, "subject", jwt.subject.as_deref());
        let audience = match jwt.audience.as_deref() {
            Some("") => Some(Audience::None),
            Some(text) => self
                .jwt_text(block, has_fingerprint, "audience", Some(text))
                .map(Audience::Given),
            None if jwt.claims.contains_key("aud") => Some(Audience::None),
            None => {
                if let Some(why) = block.audience_needed {
                    self.problem(block.field("audience"), why);
                }
                Some(Audience::Endpoint)
            }
        };
        let scopes = jwt.scopes.iter().enumerate();
        let scopes = scopes
            .filter_map(|(at, text)| {
                let field = block.field(&format!("scopes[{at}]"));
                let scope = self.fixed(&field, text)?;
                if scope.refers_to_secret() {
                    self.problem(field, "must not refer to a Secret: write ${values.NAME}");
                }
                Some(scope)
            })
            .collect();
        let headers = self.jwt_members(block, has_fingerprint, "headers", &jwt.headers);
        let claims = self.jwt_members(block, has_fingerprint, "claims", &jwt.claims);
        let (lifetime, backdate) = self.jwt_times(block);
        Some(JwtSettings {
            algorithm,
            key: key?,
            key_format: jwt.key_format.into(),
            key_id,
            kind: match jwt.kind.as_deref() {
                None => Some("JWT".to_owned()),
                Some("") => None,
                Some(kind) => Some(kind.to_owned()),
            },
            headers,
            certificate,
            issuer,
            subject,
            audience: audience?,
            scopes,
            claims,
            lifetime,
            backdate,
        })
    }

    fn jwt_key(&mut self, block: &JwtBlock<'_>) -> Option<Template> {
        let field = block.field("key");
        match (&block.key, &block.jwt.key) {
            (Some(_), Some(_)) => {
                self.problem(
                    field,
                    "is not used by authentication: ClientSecretJwt, which signs with client.secret: remove it",
                );
                None
            }
            (Some(key), None) => Some(key.clone()),
            (None, Some(text)) => self.of_secret(&field, "private-key", text),
            (None, None) => {
                self.problem(field, "is required: write \"${secret.private-key}\"");
                None
            }
        }
    }

    fn jwt_times(&mut self, block: &JwtBlock<'_>) -> (Duration, Duration) {
        let (lifetime, backdate) = (block.jwt.lifetime_seconds, block.jwt.backdate_seconds);
        if lifetime < 1 {
            self.problem(block.field("lifetimeSeconds"), "must be at least 1");
        }
        if backdate < 0 {
            self.problem(block.field("backdateSeconds"), "must be at least 0");
        } else if backdate >= lifetime {
            self.problem(
                block.field("backdateSeconds"),
                "must be less than lifetimeSeconds: the JWT would be over before it is sent",
            );
        }
        let seconds = |count| Duration::from_secs(u64::try_from(count).unwrap_or_default());
        (seconds(lifetime), seconds(backdate))
    }

    /// Whether a JWT that calls are made with is good for long enough: each new
    /// one is written down, and sent to all who use it.
    fn lasts(&mut self, block: &JwtBlock<'_>, jwt: &JwtSettings) -> bool {
        let left = jwt.lifetime.saturating_sub(jwt.backdate);
        // What is over at once was told already.
        if left.is_zero() || left >= SHORTEST_SENT {
            return true;
        }
        self.problem(
            block.field("lifetimeSeconds"),
            format!(
                "must be at least 30 more than backdateSeconds: the JWT is sent until it ends: write {} or more",
                (jwt.backdate + SHORTEST_SENT).as_secs()
            ),
        );
        false
    }

    fn jwt_text(
        &mut self,
        block: &JwtBlock<'_>,
        has_fingerprint: bool,
        member: &str,
        text: Option<&str>,
    ) -> Option<Template> {
        let field = block.field(member);
        let template = self.line(&field, text?)?;
        self.within_jwt(has_fingerprint, &field, &template);
        Some(template)
    }

    fn jwt_members(
        &mut self,
        block: &JwtBlock<'_>,
        has_fingerprint: bool,
        list: &str,
        members: &BTreeMap<String, Value>,
    ) -> Vec<(String, FieldValue<Template>)> {
        let mut read = Vec::new();
        for (name, value) in members {
            let field = block.field(&format!("{list}.{name}"));
            if let Some(owner) = block.owner(list, name) {
                self.problem(&field, format!("is set by {owner} already: remove it here"));
            }
            let value = self.json(&field, value, &mut |reader, field, text| {
                let template = reader.keep(field, Template::parse(text))?;
                reader.within_jwt(has_fingerprint, field, &template);
                Some(template)
            });
            read.extend(value.map(|value| (name.clone(), value)));
        }
        read
    }

    /// What a JWT says is known before it is signed.
    fn within_jwt(&mut self, has_fingerprint: bool, field: &str, template: &Template) {
        self.without_token(field, template);
        self.without_earlier(field, template);
        let references = template.references();
        if references.refers_to_jwt() {
            self.problem(field, "must not refer to ${jwt}, of which it is a part");
        }
        if references.key_fingerprint && !has_fingerprint {
            self.problem(
                field,
                "must not refer to ${jwt.keyFingerprint}: a shared key has no public half",
            );
        }
    }
}

impl<'a> JwtBlock<'a> {
    pub(super) fn new(field: impl Into<String>, jwt: &'a Jwt) -> Self {
        Self {
            field: field.into(),
            jwt,
            usual: Algorithm::Rs256,
            key: None,
            numbered: false,
            audience_needed: None,
        }
    }

    fn field(&self, member: &str) -> String {
        format!("{}.{member}", self.field)
    }

    /// What sets a header or claim already.
    fn owner(&self, list: &str, name: &str) -> Option<&'static str> {
        let jwt = self.jwt;
        match (list, name) {
            ("headers", "alg") => Some("algorithm"),
            ("headers", "typ") => Some("type"),
            ("headers", "kid") if jwt.key_id.is_some() => Some("keyId"),
            ("headers", "x5t" | "x5t#S256") if jwt.certificate.is_some() => Some("certificate"),
            ("claims", "iss") if jwt.issuer.is_some() => Some("issuer"),
            ("claims", "sub") if jwt.subject.is_some() => Some("subject"),
            ("claims", "aud") if jwt.audience.is_some() => Some("audience"),
            ("claims", "scope") if !jwt.scopes.is_empty() => Some("scopes"),
            ("claims", "jti") if self.numbered => Some("the method"),
            ("claims", "iat") => Some("backdateSeconds"),
            ("claims", "exp") => Some("lifetimeSeconds"),
            _ => None,
        }
    }
}

impl From<JwtAlgorithm> for Algorithm {
    fn from(algorithm: JwtAlgorithm) -> Self {
        match algorithm {
            JwtAlgorithm::RS256 => Self::Rs256,
            JwtAlgorithm::RS384 => Self::Rs384,
            JwtAlgorithm::RS512 => Self::Rs512,
            JwtAlgorithm::PS256 => Self::Ps256,
            JwtAlgorithm::PS384 => Self::Ps384,
            JwtAlgorithm::PS512 => Self::Ps512,
            JwtAlgorithm::ES256 => Self::Es256,
            JwtAlgorithm::ES384 => Self::Es384,
            JwtAlgorithm::EdDSA => Self::EdDsa,
            JwtAlgorithm::HS256 => Self::Hs256,
            JwtAlgorithm::HS384 => Self::Hs384,
            JwtAlgorithm::HS512 => Self::Hs512,
        }
    }
}

impl From<KeyFormat> for jwt::KeyFormat {
    fn from(format: KeyFormat) -> Self {
        match format {
            KeyFormat::Auto => Self::Auto,
            KeyFormat::Pem => Self::Pem,
            KeyFormat::Jwk => Self::Jwk,
            KeyFormat::Utf8 => Self::Utf8,
            KeyFormat::Base64 => Self::Base64,
            KeyFormat::Hex => Self::Hex,
        }
    }
}
