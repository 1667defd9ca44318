//! The sidecar's proxy, on one thread as in a pod.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use anyhow::{Context, bail};
use credence_core::bundle::{Bundle, Entry, OnConflict, Placed, Route};
use credence_core::wire::Event;
use credence_core::{Environment, Secret};
use credence_sidecar::{Proxy as Sidecar, ProxySettings, hardening};

use crate::KEY;
use crate::peer::{self, Proxy};

/// Starts it as a process of its own, with a collection `api`.
pub(crate) fn start(directory: &Path, upstream: u16) -> anyhow::Result<Proxy> {
    let route = Route {
        headers: vec![Placed {
            name: "Authorization".to_owned(),
            value: Secret::new(KEY).into(),
            private: true,
            on_conflict: OnConflict::Replace,
        }],
        trust: Some(fs::read_to_string(directory.join("ca.pem"))?.into()),
        allow_private_networks: true,
        ..Route::to(format!("https://127.0.0.1:{upstream}/v1").parse()?)
    };
    let bundle = Event::Bundle(Bundle {
        revision: "1".to_owned(),
        environment: Environment::Development,
        collections: [("api".parse()?, Entry::Ready(Arc::new(route)))].into(),
        tokens: [].into(),
    });
    let file = directory.join("bundle");
    fs::File::create(&file)?.write_all(&bundle.encode()?)?;
    let mut command = Command::new(std::env::current_exe()?);
    command
        .arg("sidecar")
        .stdin(Stdio::from(fs::File::open(&file)?));
    peer::own("credence", "/api/models", &mut command)
}

/// Is it; the bundle is a line of input.
pub(crate) fn run() -> anyhow::Result<()> {
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    let Event::Bundle(bundle) = Event::decode(line.as_bytes())? else {
        bail!("the input is not a bundle");
    };
    hardening::harden()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let proxy = Sidecar::bind(ProxySettings {
            listen: vec!["127.0.0.1:0".parse()?],
            ..ProxySettings::default()
        })?;
        let refused = proxy.handle().apply(bundle);
        anyhow::ensure!(refused.is_empty(), "refused: {refused:?}");
        let address = *proxy.local_addrs().first().context("no address")?;
        println!("{}", address.port());
        proxy.run(std::future::pending()).await;
        Ok(())
    })
}
