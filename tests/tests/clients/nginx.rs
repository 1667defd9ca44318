//! nginx as a provider.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use credence_tests::packages;
use credence_tests::pki::Authority;
use tempfile::TempDir;

use crate::server::Server;
use crate::stage::Stage;

/// A running one.
pub(crate) struct Nginx {
    pub(crate) port: u16,
    /// The PEM root that its certificate chains to.
    pub(crate) authority: String,
    folder: TempDir,
    _server: Server,
}

impl Nginx {
    /// Serves `http`, the inside of that block. In it `PORT` stands for the
    /// port, and `FOLDER` for a folder with `ca.pem`, the authority of its own
    /// certificate, which is set already.
    pub(crate) fn start(stage: &Stage, http: &str) -> Result<Self> {
        Self::trusting(stage, http, "")
    }

    /// The same, and `clients.pem` is in the folder.
    pub(crate) fn trusting(stage: &Stage, http: &str, clients: &str) -> Result<Self> {
        packages::programs(&[("nginx", "nginx"), ("curl", "curl")])?;
        let program = packages::find("nginx").context("nginx was just installed")?;
        let folder = tempfile::tempdir()?;
        let at = folder.path().display().to_string();
        let authority = Authority::new("nginx's authority")?;
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let identity = authority.server("nginx", &["localhost"], &[loopback])?;
        let port = free_port()?;
        let http = http
            .replace("PORT", &port.to_string())
            .replace("FOLDER", &at);
        for (file, content) in [
            ("ca.pem", authority.certificate()),
            ("clients.pem", clients),
            ("leaf.pem", &identity.certificate),
            ("key.pem", &identity.key),
            ("nginx.conf", &configuration(&at, &http)),
        ] {
            fs::write(folder.path().join(file), content)?;
        }
        let mut command = Command::new(program);
        command.args(["-p", &at, "-c", "nginx.conf"]);
        let (server, ()) = Server::start(stage, "nginx", &mut command, |_| {
            TcpStream::connect((loopback, port)).ok().map(drop)
        })?;
        Ok(Self {
            port,
            authority: authority.certificate().to_owned(),
            folder,
            _server: server,
        })
    }

    /// The status of an answer to a call that does not go by the proxy.
    pub(crate) fn status(&self, path: &str, authorization: &str) -> Result<u16> {
        let output = Command::new("curl")
            .args(["--silent", "--show-error", "--output", "/dev/null"])
            .args(["--write-out", "%{http_code}", "--cacert"])
            .arg(self.folder.path().join("ca.pem"))
            .args(["--header", &format!("Authorization: {authorization}")])
            .arg(format!("https://localhost:{}{path}", self.port))
            .output()?;
        ensure!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8(output.stdout)?.parse()?)
    }
}

fn configuration(at: &str, http: &str) -> String {
    // Started by root, its worker would be a user who may not enter the folder.
    let user = match rustix::process::geteuid().is_root() {
        true => "user root;",
        false => "",
    };
    format!(
        "{user} daemon off; worker_processes 1; pid nginx.pid; error_log stderr;
events {{ worker_connections 1024; }}
http {{
  access_log off; client_max_body_size 0;
  client_body_temp_path {at}/n1; proxy_temp_path {at}/n2; fastcgi_temp_path {at}/n3;
  uwsgi_temp_path {at}/n4; scgi_temp_path {at}/n5;
  ssl_certificate {at}/leaf.pem; ssl_certificate_key {at}/key.pem;
{http}
}}
"
    )
}

/// One that the system has just had free: nginx and
/// HAProxy cannot be asked which they chose.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}
