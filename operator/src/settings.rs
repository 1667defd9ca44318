//! What the operator is started with.

use std::net::IpAddr;

use clap::{Parser, ValueEnum};
use credence_broker::Network;
use credence_core::names::{CLUSTER_CREDENTIALS_NAMESPACE, FEED_PORT};

use crate::inject::{EgressProxy, InvalidProxyUrl};

/// Kubernetes operator of Credence: controller, injector and feed.
#[derive(Clone, Debug, Parser)]
#[command(name = "credence-operator", version)]
pub struct Settings {
    /// Namespace that the operator runs in
    #[arg(long, env = "POD_NAMESPACE")]
    pub namespace: String,
    /// Name of the operator's own pod: its identity in the Lease and in status.feeds
    #[arg(long, env = "POD_NAME")]
    pub pod_name: String,
    /// Image of the sidecar: injected, and looked for in pods that ask for a bundle
    #[arg(long)]
    pub sidecar_image: String,
    /// Block of private addresses that token endpoints may have, and APIs that are verified; may be repeated
    #[arg(long, value_name = "CIDR")]
    pub broker_private_network: Vec<Network>,
    /// HTTP proxy that sidecars leave the network through, without credentials: http://HOST:PORT
    #[arg(long, value_name = "URL")]
    pub sidecar_https_proxy: Option<String>,
    /// Hosts that sidecars reach without that proxy, as in NO_PROXY
    #[arg(
        long,
        value_name = "HOSTS",
        requires = "sidecar_https_proxy",
        default_value = ""
    )]
    pub sidecar_no_proxy: String,
    /// Service that sidecars reach the feed by
    #[arg(long, default_value = "credence-feed")]
    pub feed_service: String,
    /// Service that the API server reaches the injector by
    #[arg(long, default_value = "credence-webhook")]
    pub webhook_service: String,
    /// MutatingWebhookConfiguration whose caBundle the operator keeps
    #[arg(long, default_value = "credence-injector")]
    pub webhook_configuration: String,
    /// Secret with the certificate authority and the serving certificate
    #[arg(long, default_value = "credence-certificates")]
    pub certificates_secret: String,
    /// Namespace of the Secrets and ConfigMaps that cluster collections refer to
    #[arg(long, default_value = CLUSTER_CREDENTIALS_NAMESPACE)]
    pub cluster_credentials_namespace: String,
    /// Lease of the replica that writes status and certificates
    #[arg(long, default_value = "credence-operator")]
    pub lease: String,
    /// Address that all ports are bound to [default: every address of the host]
    #[arg(long)]
    pub address: Option<IpAddr>,
    /// Form of the log
    #[arg(long, value_enum, default_value_t = LogFormat::Json)]
    pub log_format: LogFormat,
    /// Log more; twice for everything
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

impl Settings {
    /// Checks what no flag can check alone.
    ///
    /// # Errors
    /// [`OwnNamespace`].
    pub fn check(&self) -> Result<(), OwnNamespace> {
        match self.cluster_credentials_namespace == self.namespace {
            true => Err(OwnNamespace(self.namespace.clone())),
            false => Ok(()),
        }
    }

    /// `host:port` of the feed, as sidecars are told it.
    pub fn feed_address(&self) -> String {
        format!("{}.{}.svc:{FEED_PORT}", self.feed_service, self.namespace)
    }

    /// How sidecars leave the network, if not directly.
    ///
    /// # Errors
    /// When the proxy's address cannot stand in a pod. It is not read with the
    /// other arguments, which are repeated when they are wrong: it may hold a
    /// password.
    pub fn egress_proxy(&self) -> Result<Option<EgressProxy>, InvalidProxyUrl> {
        let url = self.sidecar_https_proxy.as_deref();
        let url = url.filter(|url| !url.is_empty()).map(str::parse);
        let no_proxy = self.sidecar_no_proxy.clone();
        Ok(url.transpose()?.map(|url| EgressProxy { url, no_proxy }))
    }
}

/// Whoever may write a cluster collection could have the operator's own Secrets
/// sent to a provider.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "--cluster-credentials-namespace must not be the operator's own, \"{0}\": choose one for credentials only"
)]
pub struct OwnNamespace(String);

/// Form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One object a line.
    Json,
    /// For a terminal.
    Text,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(more: &[&str]) -> Settings {
        let flags = [
            "credence-operator",
            "--namespace=credence-system",
            "--pod-name=credence-operator-0",
            "--sidecar-image=credence-sidecar:1",
        ];
        Settings::try_parse_from(flags.iter().chain(more)).unwrap()
    }

    #[test]
    fn cluster_collections_never_take_secrets_of_the_operator() {
        assert_eq!(parsed(&[]).check(), Ok(()));
        let own = parsed(&["--cluster-credentials-namespace=credence-system"]);
        assert_eq!(own.check(), Err(OwnNamespace("credence-system".to_owned())));
    }

    #[test]
    fn what_the_chart_does_not_say_has_the_charts_names() {
        let settings = parsed(&[]);
        assert_eq!(settings.feed_service, "credence-feed");
        assert_eq!(settings.webhook_service, "credence-webhook");
        assert_eq!(settings.webhook_configuration, "credence-injector");
        assert_eq!(settings.certificates_secret, "credence-certificates");
        assert_eq!(
            settings.cluster_credentials_namespace,
            "credence-credentials"
        );
        assert_eq!(settings.lease, "credence-operator");
        assert_eq!(settings.log_format, LogFormat::Json);
        assert_eq!(settings.egress_proxy(), Ok(None));
    }

    #[test]
    fn a_password_of_an_egress_proxy_is_refused_and_not_repeated() {
        let settings = Settings::try_parse_from([
            "credence-operator",
            "--namespace=credence-system",
            "--pod-name=credence-operator-0",
            "--sidecar-image=credence-sidecar:1",
            "--sidecar-https-proxy=http://user:hunter2@proxy:3128",
        ]);
        let error = settings.unwrap().egress_proxy().unwrap_err().to_string();
        assert!(error.contains("it holds credentials"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}
