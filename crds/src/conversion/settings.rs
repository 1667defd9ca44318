//! What differs between environments, and how calls are passed on.

use std::time::Duration;

use credence_core::bundle;
use credence_core::collection::{Settings, TrustKind, TrustRef};
use credence_core::names::{PROXY_PORT, SIDECAR_ADMIN_PORT};
use credence_core::template::Template;

use super::Reader;
use crate::call_settings::{Forwarding, Timeouts};
use crate::environment_settings::{CaKind, CaRef, EnvironmentSettings, SecretRef};

/// Below it only root may listen.
const LOWEST_PORT: u16 = 1024;

impl Reader {
    pub(super) fn settings(&mut self, block: &str, settings: &EnvironmentSettings) -> Settings {
        for name in settings.values.keys() {
            // Only what a template can spell can be referred to.
            if Template::parse(&format!("${{values.{name}}}")).is_err() {
                self.problem(
                    format!("{block}.values"),
                    format!("\"{name}\" cannot be referred to: use letters, digits, \"-\", \"_\" and \".\""),
                );
            }
        }
        let named = |secret: &Option<SecretRef>| secret.as_ref().map(|secret| secret.name.clone());
        Settings {
            base_url: self.base_url(&format!("{block}.baseUrl"), settings.base_url.as_deref()),
            secret: named(&settings.secret_ref),
            tls_secret: named(&settings.tls_secret_ref),
            trust: settings.ca_ref.as_ref().map(TrustRef::from),
            values: settings.values.clone(),
            allow_insecure_http: settings.allow_insecure_http,
            allow_private_networks: settings.allow_private_networks,
        }
    }

    pub(super) fn timeouts(&mut self, timeouts: Option<&Timeouts>) -> bundle::Timeouts {
        let Some(timeouts) = timeouts else {
            return bundle::Timeouts::default();
        };
        let mut seconds = |name: &str, seconds: i32| {
            let positive = u64::try_from(seconds).ok().filter(|seconds| *seconds > 0);
            if positive.is_none() {
                self.problem(
                    format!("spec.timeouts.{name}"),
                    "must be at least 1 (seconds)",
                );
            }
            Duration::from_secs(positive.unwrap_or(1))
        };
        bundle::Timeouts {
            connect: seconds("connectSeconds", timeouts.connect_seconds),
            first_byte: seconds("firstByteSeconds", timeouts.first_byte_seconds),
            idle: seconds("idleSeconds", timeouts.idle_seconds),
        }
    }

    pub(super) fn sidecar_port(&mut self, port: Option<i32>) -> Option<u16> {
        let own = [PROXY_PORT, SIDECAR_ADMIN_PORT];
        let valid = u16::try_from(port?)
            .ok()
            .filter(|port| *port >= LOWEST_PORT && !own.contains(port));
        if valid.is_none() {
            self.problem(
                "spec.sidecarPort",
                "must be from 1024 to 65535, and not 2733 or 2734, which the sidecar has already",
            );
        }
        valid
    }
}

pub(super) fn forwarding(forwarding: Option<&Forwarding>) -> bundle::Forwarding {
    forwarding.map_or_else(bundle::Forwarding::default, |forwarding| {
        bundle::Forwarding {
            via: forwarding.via,
            forwarded: forwarding.forwarded,
            rewrite_location: forwarding.rewrite_location,
        }
    })
}

impl From<&CaRef> for TrustRef {
    fn from(ca: &CaRef) -> Self {
        Self {
            kind: match ca.kind {
                CaKind::ConfigMap => TrustKind::ConfigMap,
                CaKind::Secret => TrustKind::Secret,
            },
            name: ca.name.clone(),
            key: ca.key.clone(),
        }
    }
}
