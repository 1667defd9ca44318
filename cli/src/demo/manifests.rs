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
    let name = api.name;
    let mut text = format!(
        "apiVersion: credence.dev/v1alpha1\n\
         kind: ApiCollection\n\
         metadata: {{name: {name}, namespace: shop}}\n\
         spec:\n  \
           baseUrl: https://{provider}/{name}\n",
    );
    for line in api.manifest.lines() {
        writeln!(text, "  {line}")?;
    }
    for environment in ENVIRONMENTS {
        writeln!(text, "  {environment}:")?;
        if api.demand.key.is_some() {
            writeln!(text, "    secretRef: {{name: {name}-{environment}}}")?;
        }
        if api.demand.certificate {
            writeln!(text, "    tlsSecretRef: {{name: {name}-{environment}-tls}}")?;
        }
        text += "    caRef: {kind: ConfigMap, name: demo-authority, key: ca.crt}\n    \
                 allowPrivateNetworks: true\n";
    }
    Ok(text)
}

fn secrets(apis: &[Api]) -> anyhow::Result<Secret> {
    let mut text = String::new();
    for api in apis {
        for environment in ENVIRONMENTS {
            let (name, customer) = (api.name, api.customer(environment));
            if api.demand.key.is_some() {
                head(&mut text, "Secret", &format!("{name}-{environment}"))?;
                writeln!(text, "stringData:\n  key: {}", customer.key.expose())?;
            }
            if api.demand.certificate {
                head(&mut text, "Secret", &format!("{name}-{environment}-tls"))?;
                text += "type: kubernetes.io/tls\nstringData:\n";
                block(&mut text, "tls.crt", &customer.certificate.pem)?;
                block(&mut text, "tls.key", customer.certificate.key.expose())?;
            }
        }
    }
    Ok(Secret::new(text))
}

fn config_map(authority: &str) -> anyhow::Result<String> {
    let mut text = String::new();
    head(&mut text, "ConfigMap", "demo-authority")?;
    text += "data:\n";
    block(&mut text, "ca.crt", authority)?;
    Ok(text)
}

fn head(text: &mut String, kind: &str, name: &str) -> std::fmt::Result {
    write!(
        text,
        "---\napiVersion: v1\nkind: {kind}\nmetadata: {{name: {name}, namespace: shop}}\n"
    )
}

/// A member whose value has several lines.
fn block(text: &mut String, key: &str, lines: &str) -> std::fmt::Result {
    writeln!(text, "  {key}: |")?;
    lines
        .lines()
        .try_for_each(|line| writeln!(text, "    {line}"))
}
