//! Client certificates, demanded by nginx and HAProxy. They refuse differently:
//! nginx by an answer, HAProxy by an alert of TLS.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use credence_tests::pki::{Authority, Identity};
use credence_tests::{packages, wait};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::caller;
use crate::manifests::Api;
use crate::nginx::{Nginx, free_port};
use crate::server::Server;
use crate::stage::Stage;

/// How long a new certificate may wait until it is used.
const SOON: Duration = Duration::from_secs(1);

pub(crate) fn client_certificates_are_shown_refused_and_renewed(stage: &Stage) -> Result<String> {
    let clients = Authority::new("the authority of clients")?;
    let strangers = Authority::new("the authority of strangers")?;
    let (good, bad) = (
        clients.client("credence-app", None)?,
        strangers.client("stranger", None)?,
    );
    for identity in [&good, &bad] {
        // Any line of the key's is the key's.
        let line = identity.key.lines().nth(1).context("a key")?;
        stage.plant(line.to_owned());
    }
    let nginx = Nginx::trusting(
        stage,
        "server {
  listen 127.0.0.1:PORT ssl http2;
  ssl_client_certificate FOLDER/clients.pem; ssl_verify_client on;
  location / { return 200 \"$ssl_client_verify $ssl_client_s_dn\"; }
}",
        clients.certificate(),
    )?;
    let haproxy = Haproxy::start(stage, clients.certificate())?;

    let mut objects = Vec::new();
    for (name, port, authority) in [
        ("nginx", nginx.port, &nginx.authority),
        ("haproxy", haproxy.port, &haproxy.authority),
    ] {
        objects.extend(api(name, port, authority, &good));
        objects.extend(api(&format!("{name}-bad"), port, authority, &bad));
        let base = format!("https://localhost:{port}");
        objects.extend(Api::new(&format!("{name}-none"), base, authority).objects());
    }
    let credence = stage.credence(&objects)?;
    let get = |path: &str| caller::get(credence.proxy, path, &[]);

    let shown = get("/nginx/")?;
    ensure!(shown.text() == "SUCCESS CN=credence-app", "{shown:?}");
    let shown = get("/haproxy/")?;
    ensure!(shown.text() == "0 credence-app", "{shown:?}");
    for path in ["/nginx-bad/", "/nginx-none/"] {
        let refused = get(path)?;
        ensure!(
            refused.status == 400 && refused.slug().is_none(),
            "{path}: {refused:?}"
        );
    }
    for path in ["/haproxy-bad/", "/haproxy-none/"] {
        let refused = get(path)?;
        let right = refused.slug() == Some("client-certificate-rejected");
        ensure!(right && refused.status == 502, "{path}: {refused:?}");
    }

    // The bad ones become good; connections with the old one are not used.
    credence.replace(&tls("nginx-bad", &good))?;
    credence.replace(&tls("haproxy-bad", &good))?;
    let begin = Instant::now();
    for (path, expected) in [
        ("/nginx-bad/", "SUCCESS CN=credence-app"),
        ("/haproxy-bad/", "0 credence-app"),
    ] {
        wait::until("the new certificate is used", SOON, || {
            Ok((get(path)?.text() == expected).then_some(()))
        })?;
    }
    let renewed = begin.elapsed();
    stage.end(credence)?;
    Ok(format!(
        "shown to nginx and HAProxy, refused by both, renewed in {} ms",
        renewed.as_millis()
    ))
}

/// A collection whose only credential is a certificate.
fn api(name: &str, port: u16, authority: &str, identity: &Identity) -> Vec<Value> {
    let base = format!("https://localhost:{port}");
    let mut api = Api::new(name, base, authority);
    let environment = json!({
        "tlsSecretRef": {"name": format!("{name}-tls")},
        "caRef": {"kind": "ConfigMap", "name": format!("{name}-ca"), "key": "ca.crt"},
        "allowPrivateNetworks": true,
    });
    api.spec = json!({
        "auth": {"clientCertificate": {}},
        "live": environment,
        "development": environment,
    });
    let mut objects = api.objects();
    objects.push(tls(name, identity));
    objects
}

fn tls(name: &str, identity: &Identity) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": format!("{name}-tls")},
        "stringData": {"tls.crt": identity.certificate, "tls.key": identity.key},
    })
}

/// HAProxy, which says by whom it was called.
struct Haproxy {
    port: u16,
    authority: String,
    _folder: TempDir,
    _server: Server,
}

impl Haproxy {
    fn start(stage: &Stage, clients: &str) -> Result<Self> {
        packages::programs(&[("haproxy", "haproxy")])?;
        let program = packages::find("haproxy").context("haproxy was just installed")?;
        let authority = Authority::new("HAProxy's authority")?;
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let identity = authority.server("haproxy", &["localhost"], &[loopback])?;
        let folder = tempfile::tempdir()?;
        let at = folder.path().display();
        let port = free_port()?;
        let configuration = format!(
            "defaults
  mode http
  timeout connect 10s
  timeout client 60s
  timeout server 60s
frontend provider
  bind 127.0.0.1:{port} ssl crt {at}/leaf.pem ca-file {at}/clients.pem verify required alpn h2,http/1.1
  http-request return status 200 content-type text/plain lf-string \"%[ssl_c_verify] %[ssl_c_s_dn(cn)]\"
"
        );
        let leaf = [identity.certificate, identity.key].concat();
        for (file, content) in [
            ("leaf.pem", &*leaf),
            ("clients.pem", clients),
            ("haproxy.cfg", &configuration),
        ] {
            fs::write(folder.path().join(file), content)?;
        }
        let mut command = Command::new(program);
        command
            .args(["-db", "-f"])
            .arg(folder.path().join("haproxy.cfg"));
        let (server, ()) = Server::start(stage, "haproxy", &mut command, |_| {
            TcpStream::connect((loopback, port)).ok().map(drop)
        })?;
        Ok(Self {
            port,
            authority: authority.certificate().to_owned(),
            _folder: folder,
            _server: server,
        })
    }
}
