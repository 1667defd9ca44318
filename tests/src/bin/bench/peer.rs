//! The proxies that are compared with, and their processes.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::KEY;
use crate::certificate::HOST;
use crate::scenario::Upstream;

/// A proxy that listens; it ends when this is dropped.
pub(crate) struct Proxy {
    pub(crate) name: &'static str,
    pub(crate) port: u16,
    /// What is called on it.
    pub(crate) path: &'static str,
    process: Child,
}

impl Proxy {
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // SIGTERM: nginx and HAProxy must take their workers with them.
        if let Some(pid) = i32::try_from(self.pid())
            .ok()
            .and_then(rustix::process::Pid::from_raw)
        {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let _ = self.process.wait();
    }
}

/// Starts a part of this program that prints its port as its first line.
pub(crate) fn own(
    name: &'static str,
    path: &'static str,
    command: &mut Command,
) -> anyhow::Result<Proxy> {
    let mut process = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting {name}"))?;
    let stdout = process.stdout.take().context("no output")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    let port = line.trim().parse();
    let proxy = Proxy {
        name,
        port: *port.as_ref().unwrap_or(&0),
        path,
        process,
    };
    port.with_context(|| format!("{name} did not say its port"))?;
    Ok(proxy)
}

/// nginx: one worker, connections kept on both sides, and bodies kept in memory
/// and passed on at once, as the others do.
pub(crate) fn nginx(directory: &Path, upstream: u16) -> anyhow::Result<Proxy> {
    let port = free_port()?;
    let at = directory.display();
    let file = directory.join("nginx.conf");
    fs::write(
        &file,
        format!(
            "daemon off; worker_processes 1; pid {at}/nginx.pid; error_log {at}/nginx.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000000;
  client_max_body_size 0; proxy_request_buffering off; proxy_buffers 32 8k;
  client_body_temp_path {at}/n1; proxy_temp_path {at}/n2; fastcgi_temp_path {at}/n3;
  uwsgi_temp_path {at}/n4; scgi_temp_path {at}/n5;
  upstream provider {{ server 127.0.0.1:{upstream}; keepalive 64; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass https://provider; proxy_http_version 1.1; proxy_set_header Connection \"\";
      proxy_set_header Host {HOST}; proxy_set_header Authorization \"{KEY}\";
      proxy_ssl_verify on; proxy_ssl_trusted_certificate {at}/ca.pem; proxy_ssl_server_name on;
      proxy_ssl_name {HOST}; proxy_ssl_protocols TLSv1.2 TLSv1.3;
    }}
  }}
}}
"
        ),
    )?;
    listening(
        "nginx",
        port,
        Command::new("nginx")
            .arg("-c")
            .arg(file)
            .arg("-p")
            .arg(directory),
    )
}

/// HAProxy: one thread, connections kept on both sides.
pub(crate) fn haproxy(directory: &Path, upstream: u16, speaks: Upstream) -> anyhow::Result<Proxy> {
    let alpn = match speaks {
        Upstream::Http1 => "",
        Upstream::Http2 => " alpn h2",
    };
    let port = free_port()?;
    let at = directory.display();
    let file = directory.join("haproxy.cfg");
    fs::write(
        &file,
        format!(
            "global
  nbthread 1
defaults
  mode http
  timeout connect 10s
  timeout client 60s
  timeout server 60s
  option http-keep-alive
  http-reuse always
listen proxy
  bind 127.0.0.1:{port}
  http-request set-header Authorization \"{KEY}\"
  http-request set-header Host {HOST}
  server provider 127.0.0.1:{upstream} ssl verify required ca-file {at}/ca.pem sni str({HOST}) verifyhost {HOST}{alpn}
"
        ),
    )?;
    listening(
        "haproxy",
        port,
        Command::new("haproxy").arg("-db").arg("-f").arg(file),
    )
}

fn listening(name: &'static str, port: u16, command: &mut Command) -> anyhow::Result<Proxy> {
    let process = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("{name} cannot be started: is its package installed?"))?;
    let mut proxy = Proxy {
        name,
        port,
        path: "/v1/models",
        process,
    };
    let deadline = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if let Some(status) = proxy.process.try_wait()? {
            bail!("{name} ended with {status}");
        }
        if Instant::now() > deadline {
            bail!("{name} does not listen");
        }
        std::thread::yield_now();
    }
    Ok(proxy)
}

/// One that the system has just had free; these programs cannot be asked which
/// they chose themselves.
fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
