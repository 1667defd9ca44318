//! The names that the serving certificate carries.

use credence_core::names::feed_server_name;

use crate::settings::Settings;

/// What does not depend on the authority: the Services, in each form in which
/// the API server or a sidecar may dial them.
pub fn service_names(settings: &Settings) -> Vec<String> {
    [&settings.webhook_service, &settings.feed_service]
        .into_iter()
        .flat_map(|service| {
            let namespace = &settings.namespace;
            [
                service.clone(),
                format!("{service}.{namespace}"),
                format!("{service}.{namespace}.svc"),
                format!("{service}.{namespace}.svc.cluster.local"),
            ]
        })
        .collect()
}

/// All names of a leaf: the Services', and the one by which a sidecar says
/// which root it trusts.
pub fn leaf_names(services: &[String], authority_sha256_hex: &str) -> Vec<String> {
    let mut names = services.to_vec();
    names.push(feed_server_name(authority_sha256_hex));
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[test]
    fn every_form_of_both_services_is_a_name() {
        let settings = Settings::parse_from([
            "credence-operator",
            "--namespace=system",
            "--pod-name=p",
            "--sidecar-image=i",
        ]);
        let names = leaf_names(&service_names(&settings), &"ab".repeat(32));
        assert_eq!(
            names,
            [
                "credence-webhook",
                "credence-webhook.system",
                "credence-webhook.system.svc",
                "credence-webhook.system.svc.cluster.local",
                "credence-feed",
                "credence-feed.system",
                "credence-feed.system.svc",
                "credence-feed.system.svc.cluster.local",
                "abababababababababababababababab.credence.internal",
            ]
        );
    }
}
