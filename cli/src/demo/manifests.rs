//! The demo's folder: what a person would have written.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use credence_core::{Environment, Secret};

use super::api::Api;

const ENVIRONMENTS: [Environment; 2] = [Environment::Development, Environment::Live];

/// Writes the collections, their Secrets and the authority's certificate.
///
/// # Errors
/// When the folder cannot be written.
pub(crate) fn write(
    folder: &Path,
    apis: &[Api],
    provider: SocketAddr,
    authority: &str,
) -> anyhow::Result<()> {
    for api in apis {
        fs::write(
            folder.join(format!("{}.yaml", api.name)),
            collection(api, provider)?,
        )?;
    }
    fs::write(folder.join("secrets.yaml"), secrets(apis)?.expose())?;
    fs::write(folder.join("authority.yaml"), config_map(authority)?)?;
    Ok(())
}

/// The manifest of an API, which names credentials and holds none.
///
/// # Errors
/// Never, in fact: text has room.
pub(crate) fn collection(api: &Api, provider: SocketAddr) -> anyhow::Result<String> {
    let mut text = format!(
        "apiVersion: credence.dev/v1alpha1\n\
         kind: ApiCollection\n\
         metadata: {{name: {name}, namespace: shop}}\n\
         spec:\n  \
           baseUrl: https://{provider}/{name}\n",
        name = api.name,
    );
    for line in api.manifest.lines() {
        writeln!(text, "  {line}")?;
    }
    for environment in ENVIRONMENTS {
        write!(
            text,
            "  {environment}:\n    \
                 secretRef: {{name: {}-{environment}}}\n    \
                 caRef: {{kind: ConfigMap, name: demo-authority, key: ca.crt}}\n    \
                 allowPrivateNetworks: true\n",
            api.name
        )?;
    }
    Ok(text)
}

fn secrets(apis: &[Api]) -> anyhow::Result<Secret> {
    let mut text = String::new();
    for api in apis {
        for environment in ENVIRONMENTS {
            write!(
                text,
                "---\n\
                 apiVersion: v1\n\
                 kind: Secret\n\
                 metadata: {{name: {}-{environment}, namespace: shop}}\n\
                 stringData:\n  key: {}\n",
                api.name,
                api.key(environment).expose()
            )?;
        }
    }
    Ok(Secret::new(text))
}

fn config_map(authority: &str) -> anyhow::Result<String> {
    let mut text = String::from(
        "apiVersion: v1\n\
         kind: ConfigMap\n\
         metadata: {name: demo-authority, namespace: shop}\n\
         data:\n  ca.crt: |\n",
    );
    for line in authority.lines() {
        writeln!(text, "    {line}")?;
    }
    Ok(text)
}
