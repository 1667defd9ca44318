//! What JWTs say, and what they are signed with.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::placing::Source;
use super::{Case, Unresolved, certificate};
use crate::Secret;
use crate::collection::{
    Audience, ClientAuthentication, FieldValue, JwtSettings, SignedJwt, TokenMethod,
};
use crate::jwt::{Signer, SigningKey};
use crate::template::{LateText, Place, Scope, Template};

/// A block that says how a JWT is made.
pub(super) struct Block<'c> {
    /// Where it stands, such as `spec.auth.signedJwt.jwt`.
    field: String,
    /// Where its key is named.
    key_field: String,
    settings: &'c JwtSettings,
}

/// What a JWT says unless its block says otherwise.
#[derive(Default)]
pub(super) struct Usual {
    pub(super) issuer: Option<LateText>,
    pub(super) subject: Option<LateText>,
    pub(super) audience: Option<LateText>,
}

type Member = (String, FieldValue<LateText>);

impl<'c> Block<'c> {
    /// The one whose JWT is the token.
    pub(super) fn of_token(signed: &'c SignedJwt) -> Self {
        Self::at("spec.auth.signedJwt.jwt".to_owned(), &signed.jwt)
    }

    /// The one to whose JWT the requests of a method may refer.
    pub(super) fn of_method(method: &'c TokenMethod) -> Option<Self> {
        let field = format!("spec.auth.{}.jwt", method.flow.as_str());
        method.flow.jwt().map(|settings| Self::at(field, settings))
    }

    /// The one by whose JWT the client proves who it is.
    pub(super) fn of_client(method: &'c TokenMethod) -> Option<Self> {
        let client = method.client.as_ref()?;
        let field = format!("spec.auth.{}.token.client", method.flow.as_str());
        let block = Self::at(format!("{field}.assertion"), client.assertion.as_deref()?);
        Some(match client.authentication {
            ClientAuthentication::ClientSecretJwt => Self {
                key_field: format!("{field}.secret"),
                ..block
            },
            ClientAuthentication::PrivateKeyJwt
            | ClientAuthentication::Basic
            | ClientAuthentication::BasicRaw
            | ClientAuthentication::Body
            | ClientAuthentication::TlsClientAuth
            | ClientAuthentication::None => block,
        })
    }

    fn at(field: String, settings: &'c JwtSettings) -> Self {
        Self {
            key_field: format!("{field}.key"),
            field,
            settings,
        }
    }

    /// Its templates.
    pub(super) fn sources(&self) -> Vec<Source<'c>> {
        let settings = self.settings;
        let mut sources = vec![self.key()];
        let audience = match &settings.audience {
            Audience::Given(audience) => Some(audience),
            Audience::Endpoint | Audience::None => None,
        };
        let members = [
            ("keyId", settings.key_id.as_ref()),
            (CERTIFICATE, settings.certificate.as_ref()),
            ("issuer", settings.issuer.as_ref()),
            ("subject", settings.subject.as_ref()),
            ("audience", audience),
        ];
        for (member, template) in members {
            sources.extend(template.map(|template| self.source(member, template)));
        }
        for (at, scope) in settings.scopes.iter().enumerate() {
            sources.push(self.source(&format!("scopes[{at}]"), scope));
        }
        for (list, values) in [("headers", &settings.headers), ("claims", &settings.claims)] {
            for (name, value) in values {
                let mut add = |path: &str, template| {
                    sources.push(self.source(&format!("{list}.{name}{path}"), template));
                    Ok::<_, std::convert::Infallible>(())
                };
                let Ok(_) = value.map("", &mut add);
            }
        }
        sources
    }

    fn key(&self) -> Source<'c> {
        Source {
            field: self.key_field.clone(),
            template: &self.settings.key,
        }
    }

    fn source(&self, member: &str, template: &'c Template) -> Source<'c> {
        Source {
            field: format!("{}.{member}", self.field),
            template,
        }
    }
}

const CERTIFICATE: &str = "certificate";

impl Case<'_> {
    pub(super) fn signing_key_of(
        &self,
        block: &Block<'_>,
        scope: Scope<'_>,
    ) -> Result<SigningKey, Unresolved> {
        let source = block.key();
        let text = self.render_fixed(&source, scope)?;
        SigningKey::read(&text, block.settings.key_format, block.settings.algorithm)
            .map_err(|error| self.signing_key(&source, &error))
    }

    /// What signs a JWT each time. The scope knows the key's fingerprint.
    pub(super) fn signer(
        &self,
        block: &Block<'_>,
        key: SigningKey,
        scope: Scope<'_>,
        usual: Usual,
        numbered: bool,
    ) -> Result<Signer, Unresolved> {
        let settings = block.settings;
        let late = |source: &Source<'_>| self.late(source, Place::Plain, scope);
        let given = |member: &str, template: &Option<Template>| {
            let source = template.as_ref().map(|it| block.source(member, it));
            source.map(|source| late(&source)).transpose()
        };
        let members = |list: &str, values: &[(String, FieldValue<Template>)]| {
            let values = values.iter().map(|(name, value)| {
                let value = value.map("", &mut |path, template| {
                    late(&block.source(&format!("{list}.{name}{path}"), template))
                })?;
                Ok((name.clone(), value))
            });
            values.collect::<Result<Vec<Member>, Unresolved>>()
        };
        let kind = settings.kind.as_ref().map(|kind| known(kind));
        let mut header = Vec::new();
        add(&mut header, "typ", kind);
        add(&mut header, "kid", given("keyId", &settings.key_id)?);
        if let Some(template) = &settings.certificate {
            let source = block.source(CERTIFICATE, template);
            let der = self.certificate_of(&source, block, &key, scope)?;
            for (name, algorithm) in [
                ("x5t", &digest::SHA1_FOR_LEGACY_USE_ONLY),
                ("x5t#S256", &digest::SHA256),
            ] {
                let digest = URL_SAFE_NO_PAD.encode(digest::digest(algorithm, &der));
                add(&mut header, name, Some(known(&digest)));
            }
        }
        header.extend(members("headers", &settings.headers)?);
        let usually = |name: &str, text: Option<LateText>| text.filter(|_| !settings.claims(name));
        let mut claims = Vec::new();
        let issuer = given("issuer", &settings.issuer)?;
        let issuer = issuer.or_else(|| usually("iss", usual.issuer));
        add(&mut claims, "iss", issuer);
        let subject = given("subject", &settings.subject)?;
        let subject = subject.or_else(|| usually("sub", usual.subject));
        add(&mut claims, "sub", subject);
        let audience = match &settings.audience {
            Audience::Given(audience) => Some(late(&block.source("audience", audience))?),
            Audience::Endpoint => usually("aud", usual.audience),
            Audience::None => None,
        };
        add(&mut claims, "aud", audience);
        let scopes = settings.scopes.iter().enumerate();
        let scopes = scopes
            .map(|(at, text)| {
                self.render_fixed(&block.source(&format!("scopes[{at}]"), text), scope)
            })
            .collect::<Result<Vec<_>, _>>()?;
        if !scopes.is_empty() {
            let scopes: Vec<&str> = scopes.iter().map(Secret::expose).collect();
            add(&mut claims, "scope", Some(known(&scopes.join(" "))));
        }
        claims.extend(members("claims", &settings.claims)?);
        Ok(Signer {
            key,
            header,
            claims,
            lifetime: settings.lifetime,
            backdate: settings.backdate,
            numbered,
        })
    }

    /// The certificate of the key.
    fn certificate_of(
        &self,
        source: &Source<'_>,
        block: &Block<'_>,
        key: &SigningKey,
        scope: Scope<'_>,
    ) -> Result<Vec<u8>, Unresolved> {
        let text = self.render_fixed(source, scope)?;
        let certificates = certificate::read(text.expose())
            .ok_or_else(|| self.no_certificate_for_header(source))?;
        let own = certificates.iter().find(|it| key.belongs_to(&it.public));
        own.map(|own| own.der().to_vec())
            .ok_or_else(|| self.certificate_of_other_key(source, &block.key()))
    }
}

fn add(members: &mut Vec<Member>, name: &str, text: Option<LateText>) {
    members.extend(text.map(|text| (name.to_owned(), FieldValue::Text(text))));
}

fn known(text: &str) -> LateText {
    LateText::known(&Secret::new(text))
}
