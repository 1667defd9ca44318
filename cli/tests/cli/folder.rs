//! A folder of manifests, edited as editors do.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use tempfile::TempDir;

pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn empty() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn with(self, file: &str, content: &str) -> Self {
        self.write(file, content);
        self
    }

    /// Renames a new file over the old one.
    pub(crate) fn write(&self, file: &str, content: &str) {
        let path = self.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let fresh = path.with_extension("new~");
        fs::write(&fresh, content).unwrap();
        fs::rename(&fresh, &path).unwrap();
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

/// A collection with a key in a header, for a provider of the tests.
pub(crate) fn collection(name: &str, provider: SocketAddr) -> String {
    format!(
        r#"apiVersion: credence.dev/v1alpha1
kind: ApiCollection
metadata: {{name: {name}}}
spec:
  baseUrl: https://{provider}/v1
  auth:
    apiKey: {{in: Header, name: Authorization, value: "Bearer ${{secret.key}}"}}
  live:
    secretRef: {{name: {name}-live}}
    caRef: {{kind: ConfigMap, name: authority, key: ca.crt}}
    allowPrivateNetworks: true
  development:
    secretRef: {{name: {name}-dev}}
    caRef: {{kind: ConfigMap, name: authority, key: ca.crt}}
    allowPrivateNetworks: true
"#
    )
}

pub(crate) fn secret(name: &str, key: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\nstringData: {{key: {key}}}\n"
    )
}

pub(crate) fn authority(pem: &str) -> String {
    let indented: String = pem.lines().map(|line| format!("    {line}\n")).collect();
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: authority}}\ndata:\n  ca.crt: |\n{indented}"
    )
}
