//! What changes by time alone.

use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, KeyPair};

use crate::command::{Running, assert_silent};
use crate::folder::Folder;

/// A collection whose certificate ends in a moment.
fn bank(ends: SystemTime) -> (Folder, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.not_after = ends.into();
    let certificate = params.self_signed(&key).unwrap();
    let block = |pem: &str| -> String { pem.lines().map(|l| format!("    {l}\n")).collect() };
    let secret = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: bank}}\ntype: kubernetes.io/tls\n\
         stringData:\n  tls.crt: |\n{}  tls.key: |\n{}",
        block(&certificate.pem()),
        block(&key.serialize_pem()),
    );
    let collection = "apiVersion: credence.dev/v1alpha1\nkind: ApiCollection\n\
         metadata: {name: bank}\nspec:\n  baseUrl: https://bank.example\n  \
         auth: {clientCertificate: {}}\n  development: {tlsSecretRef: {name: bank}}\n";
    let folder = Folder::empty()
        .with("bank.yaml", collection)
        .with("secret.yaml", &secret);
    (folder, key.serialize_pem())
}

#[test]
fn a_certificate_that_ends_while_it_is_served_is_told_then() {
    let (folder, key) = bank(SystemTime::now() + Duration::from_secs(5));
    let running = Running::serve(folder.path(), &[]);
    running.wait_for("bank: warning");
    running.wait_for("The client certificate in Secret \"bank\" expires at");
    let printed = running.wait_for("bank: ClientCertificateExpired");
    let line = key.lines().nth(1).unwrap();
    assert_silent(&printed, &[line]);
}
