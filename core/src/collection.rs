//! A collection, parsed: what a manifest says, with every text that can be
//! wrong already read.

mod jwt;
mod method;
mod scope;
mod settings;
mod subject;
mod token;
mod verification;

use crate::bundle::{Forwarding, OnConflict, Refusal, Timeouts};
use crate::template::Template;
use crate::{CollectionName, Environment};

pub use jwt::{Audience, JwtSettings, SignedJwt};
pub use method::{AwsSigV4, Method, Placement, SignedPayload};
pub use scope::{AccountName, Consumer, Scope};
pub use settings::{Settings, TrustKind, TrustRef};
pub use subject::{AccountSettings, Subject};
pub use token::{
    Client, ClientAuthentication, ContentSettings, FieldFormat, FieldValue, Flow, Literal,
    RefreshSettings, RequestHeader, RequestMethod, RequestSettings, StepSettings, TokenMethod,
    TokenPlacement,
};
pub use verification::Verification;

/// One API, one authentication method, many calls.
#[derive(Clone, Debug)]
pub struct Collection {
    /// The first path segment of a call.
    pub name: CollectionName,
    /// Which pods may use it.
    pub scope: Scope,
    /// Where calls go, unless the environment has its own; of `values` only.
    pub base_url: Option<Template>,
    /// How the credential is used.
    pub method: Method,
    /// Headers set on every call, before those of the method.
    pub headers: Vec<Field>,
    /// Query parameters set on every call, before those of the method.
    pub query: Vec<Field>,
    /// Settings of the live environment.
    pub live: Option<Settings>,
    /// Settings of the development environment.
    pub development: Option<Settings>,
    /// What a development namespace gets when `development` is absent.
    pub development_fallback: DevelopmentFallback,
    /// What of the head is passed on or changed besides.
    pub forwarding: Forwarding,
    /// The limits on waiting for the upstream.
    pub timeouts: Timeouts,
    /// Which answers refuse the token that calls are made with.
    pub refusal: Refusal,
    /// A loopback port of its own, whose root is the API.
    pub sidecar_port: Option<u16>,
    /// The call by which the operator sees whether the credential works, if it
    /// shall.
    pub verification: Option<Verification>,
}

/// A named value set on every call.
#[derive(Clone, Debug)]
pub struct Field {
    /// Spelled as the manifest spells it.
    pub name: String,
    /// The value.
    pub value: Template,
    /// What happens when the caller sent one of the same name.
    pub on_conflict: OnConflict,
}

/// What a development namespace gets when `development` is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DevelopmentFallback {
    /// Nothing that needs a Secret.
    #[default]
    Deny,
    /// The live settings.
    UseLive,
}

/// The settings that one environment uses.
#[derive(Clone, Copy, Debug)]
pub struct Selected<'a> {
    /// The block's content; empty settings where there is no such block.
    pub settings: &'a Settings,
    /// Which of the two blocks it is.
    pub block: Environment,
    /// Whether a development namespace gets the live block.
    pub uses_live_fallback: bool,
}

impl Selected<'_> {
    /// The block's path in the manifest.
    pub const fn field(&self) -> &'static str {
        match self.block {
            Environment::Live => "spec.live",
            Environment::Development => "spec.development",
        }
    }
}

static NO_SETTINGS: Settings = Settings::NONE;

impl Collection {
    /// The settings that `environment` uses. This is the only place where a
    /// development namespace can come by live ones: where the collection has no
    /// `development` block at all and says `developmentFallback: UseLive`.
    pub fn selected(&self, environment: Environment) -> Selected<'_> {
        let own = match environment {
            Environment::Live => &self.live,
            Environment::Development => &self.development,
        };
        let fallback = match (environment, self.development_fallback) {
            (Environment::Development, DevelopmentFallback::UseLive) if own.is_none() => {
                self.live.as_ref()
            }
            _ => None,
        };
        match fallback {
            Some(settings) => Selected {
                settings,
                block: Environment::Live,
                uses_live_fallback: true,
            },
            None => Selected {
                settings: own.as_ref().unwrap_or(&NO_SETTINGS),
                block: environment,
                uses_live_fallback: false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(secret: &str) -> Settings {
        Settings {
            secret: Some(secret.to_owned()),
            ..Settings::default()
        }
    }

    fn collection(live: bool, development: bool, fallback: DevelopmentFallback) -> Collection {
        Collection {
            name: "x".parse().unwrap(),
            scope: Scope::Namespace {
                service_accounts: None,
            },
            base_url: None,
            method: Method::None,
            headers: vec![],
            query: vec![],
            live: live.then(|| named("live")),
            development: development.then(|| named("development")),
            development_fallback: fallback,
            forwarding: Forwarding::default(),
            timeouts: Timeouts::default(),
            refusal: Refusal::default(),
            sidecar_port: None,
            verification: None,
        }
    }

    /// Requirements 15 and 16.
    #[test]
    fn development_gets_live_settings_only_by_an_explicit_fallback_without_a_block_of_its_own() {
        use DevelopmentFallback::{Deny, UseLive};
        for (live, development, fallback, secret, uses_live) in [
            (true, true, Deny, Some("development"), false),
            (true, true, UseLive, Some("development"), false),
            (true, false, Deny, None, false),
            (true, false, UseLive, Some("live"), true),
            (false, false, UseLive, None, false),
        ] {
            let collection = collection(live, development, fallback);
            let selected = collection.selected(Environment::Development);
            let case = format!("live {live}, development {development}, {fallback:?}");
            assert_eq!(selected.settings.secret.as_deref(), secret, "{case}");
            assert_eq!(selected.uses_live_fallback, uses_live, "{case}");
        }
    }

    #[test]
    fn live_never_gets_development_settings() {
        let collection = collection(false, true, DevelopmentFallback::UseLive);
        let selected = collection.selected(Environment::Live);
        assert_eq!(selected.settings.secret, None);
        assert_eq!(selected.field(), "spec.live");
    }
}
