//! Every name that crosses a process boundary: labels, annotations, ports,
//! environment variables. They are spelled here and nowhere else.

/// Namespace label: `live` or `development`. Also a pod annotation and a
/// Secret label.
pub const ENVIRONMENT: &str = "credence.dev/environment";
/// Namespace label (`enabled`) and pod label (`true` or `false`): opt-in to
/// injection.
pub const INJECT: &str = "credence.dev/inject";
/// Pod label set by the injector.
pub const INJECTED: &str = "credence.dev/injected";
/// Pod annotation: the collections the pod may use, separated by commas.
pub const COLLECTIONS: &str = "credence.dev/collections";
/// Pod annotation set by the injector: what was injected, as JSON.
pub const STATUS: &str = "credence.dev/status";
/// Pod annotation: what the sidecar asks of the CPU.
pub const CPU_REQUEST: &str = "credence.dev/cpu-request";
/// Pod annotation: what the sidecar may use of the CPU.
pub const CPU_LIMIT: &str = "credence.dev/cpu-limit";
/// Pod annotation: the memory that the sidecar asks for.
pub const MEMORY_REQUEST: &str = "credence.dev/memory-request";
/// Pod annotation: the memory that the sidecar may use.
pub const MEMORY_LIMIT: &str = "credence.dev/memory-limit";
/// Pod annotation: the proxy's port in this pod instead of [`PROXY_PORT`].
pub const SIDECAR_PORT: &str = "credence.dev/sidecar-port";
/// Pod annotation: `false` lets the app start before the first bundle.
pub const AWAIT: &str = "credence.dev/await";
/// Pod annotation: `false` leaves out the variables of
/// [`base_url_variable`].
pub const BASE_URL_ENV: &str = "credence.dev/base-url-env";
/// Pod annotation: the init container that the sidecar starts after.
pub const START_AFTER: &str = "credence.dev/start-after";

/// Annotation of the Secret of certificates: another value than
/// [`ROTATED`] has asks for a new certificate authority.
pub const ROTATE: &str = "credence.dev/rotate";
/// Annotation of that Secret: the request that was followed last.
pub const ROTATED: &str = "credence.dev/rotated";

/// The name of the container that the injector adds, and the audience of its
/// ServiceAccount token.
pub const CONTAINER: &str = "credence";
/// Audience of the projected token that a sidecar shows to the feed.
pub const AUDIENCE: &str = "credence";
/// Name of the volume with that token.
pub const TOKEN_VOLUME: &str = "credence-token";
/// Where that volume is mounted, in the sidecar only.
pub const TOKEN_DIRECTORY: &str = "/var/run/secrets/credence.dev";
/// The token's file below [`TOKEN_DIRECTORY`].
pub const TOKEN_FILE: &str = "token";
/// The sidecar's program in its image.
pub const SIDECAR_PROGRAM: &str = "/credence-sidecar";
/// The user that the sidecar runs as; the app's differs.
pub const SIDECAR_UID: i64 = 2733;

/// Loopback port of the proxy.
pub const PROXY_PORT: u16 = 2733;
/// Port of the sidecar's health and metrics.
pub const SIDECAR_ADMIN_PORT: u16 = 2734;
/// Port of the injector's webhook.
pub const WEBHOOK_PORT: u16 = 8443;
/// Port of the feed.
pub const FEED_PORT: u16 = 8444;
/// Port of the operator's health and metrics.
pub const OPERATOR_ADMIN_PORT: u16 = 8080;

/// App container variable: the proxy's address.
pub const URL_VARIABLE: &str = "CREDENCE_URL";
/// Sidecar variable: the proxy's port, where it is not [`PROXY_PORT`].
pub const PORT_VARIABLE: &str = "CREDENCE_PORT";
/// Sidecar variable: `host:port` of the feed.
pub const FEED_VARIABLE: &str = "CREDENCE_FEED";
/// Sidecar variable: the PEM root that the feed's certificate must chain to.
pub const FEED_CA_VARIABLE: &str = "CREDENCE_FEED_CA";
/// Sidecar variable: the file with the token for the feed.
pub const TOKEN_VARIABLE: &str = "CREDENCE_TOKEN_FILE";

/// Where the Secrets and ConfigMaps of cluster collections are.
pub const CLUSTER_CREDENTIALS_NAMESPACE: &str = "credence-credentials";
/// Label that an API server gives every namespace: its name.
pub const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";

/// Response header of every answer that the sidecar made itself.
pub const ERROR_HEADER: &str = "Credence-Error";

/// Path of the stream of bundles.
pub const FEED_PATH: &str = "/v1/feed";
/// Path to which a sidecar acknowledges a bundle.
pub const ACK_PATH: &str = "/v1/ack";
/// Path to which a sidecar reports how a provider receives a credential.
pub const REPORT_PATH: &str = "/v1/report";

/// The name that a sidecar asks the feed's certificate to carry, made from the
/// hexadecimal SHA-256 of the DER root that it trusts: the operator answers
/// with a leaf of that root.
pub fn feed_server_name(root_sha256_hex: &str) -> String {
    let prefix = root_sha256_hex.get(..32).unwrap_or(root_sha256_hex);
    format!("{prefix}.credence.internal")
}

/// The variable that tells an app a collection's address:
/// `OPENAI_BASE_URL` for `openai`, `_2CHECKOUT_BASE_URL` for `2checkout`.
pub fn base_url_variable(collection: &str) -> String {
    let upper = collection.to_ascii_uppercase().replace('-', "_");
    let guard = if upper.starts_with(|c: char| c.is_ascii_digit()) {
        "_"
    } else {
        ""
    };
    format!("{guard}{upper}_BASE_URL")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_url_variables_are_legal_variable_names() {
        assert_eq!(base_url_variable("openai"), "OPENAI_BASE_URL");
        assert_eq!(base_url_variable("my-api"), "MY_API_BASE_URL");
        assert_eq!(base_url_variable("2checkout"), "_2CHECKOUT_BASE_URL");
    }

    #[test]
    fn the_feed_is_named_by_the_first_half_of_the_digest() {
        let digest = "0123456789abcdef".repeat(4);
        assert_eq!(
            feed_server_name(&digest),
            "0123456789abcdef0123456789abcdef.credence.internal"
        );
    }
}
