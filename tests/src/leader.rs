//! The replica that leads, and what can happen to it.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::network::KUBERNETES;
use crate::process::{self, Paused, Process};
use crate::shop::{PATIENCE, SYSTEM, Shop};
use crate::{cgroups, wait};

/// The replica that leads.
pub struct Leader {
    pod: String,
    process: Process,
}

impl Leader {
    /// Waits until there is one whose process runs here and has renewed its
    /// lease since we began to look.
    ///
    /// # Errors
    /// There is none for a long time.
    pub fn wait_for(shop: &Shop) -> Result<Self> {
        let kubectl = shop.cluster().kubectl();
        let lease = || kubectl.json(&["-n", SYSTEM, "get", "lease", "credence-operator"]);
        let before = lease()?["spec"]["renewTime"].take();
        wait::until("a leader", PATIENCE, || {
            let lease = lease()?;
            let holder = lease["spec"]["holderIdentity"].as_str();
            let Some(pod) = holder.filter(|_| lease["spec"]["renewTime"] != before) else {
                return Ok(None);
            };
            let uid = ["-n", SYSTEM, "get", "pod", pod, "--ignore-not-found"];
            let uid = kubectl.run(&[&uid[..], &["-o", "jsonpath={.metadata.uid}"]].concat())?;
            let mut operators = cgroups::running("credence-operator")?;
            operators.retain(|process| !uid.is_empty() && cgroups::is_of_pod(process, &uid));
            Ok(operators.pop().map(|process| Self {
                pod: pod.to_owned(),
                process,
            }))
        })
    }

    /// Kills it where it stands. Its pod is deleted, too: the kubelet would
    /// make whoever is killed often wait ever longer.
    ///
    /// # Errors
    /// It does not end.
    pub fn kill(&self, shop: &Shop) -> Result<()> {
        process::kill(std::slice::from_ref(&self.process))?;
        let delete = ["-n", SYSTEM, "delete", "pod", &self.pod, "--wait=false"];
        let now = ["--grace-period=0", "--force"];
        shop.cluster()
            .kubectl()
            .run(&[&delete[..], &now].concat())?;
        Ok(())
    }

    /// Waits until another one leads.
    ///
    /// # Errors
    /// None does for a long time.
    pub fn until_replaced(&self, shop: &Shop) -> Result<()> {
        let kubectl = shop.cluster().kubectl();
        wait::until("another leader", PATIENCE, || {
            let lease = kubectl.json(&["-n", SYSTEM, "get", "lease", "credence-operator"])?;
            let holder = lease["spec"]["holderIdentity"].as_str().unwrap_or_default();
            Ok((!holder.is_empty() && holder != self.pod).then_some(()))
        })
    }

    /// Stops it for as long as what is returned lives.
    ///
    /// # Errors
    /// It has ended.
    pub fn pause(&self) -> Result<Paused> {
        Paused::new(&self.process)
    }

    /// Takes the API server, and nothing else, away from it for as long as
    /// what is returned lives.
    ///
    /// # Errors
    /// Its network cannot be changed.
    pub fn cut_off(&self) -> Result<CutOff> {
        route(&self.process, "add")?;
        Ok(CutOff(self.process.clone()))
    }
}

/// A replica without the API server.
#[must_use = "dropping it gives the API server back"]
pub struct CutOff(Process);

impl Drop for CutOff {
    fn drop(&mut self) {
        // Its network is gone when it is.
        if self.0.is_running()
            && let Err(error) = route(&self.0, "delete")
        {
            eprintln!("a replica is still cut off: {error:#}");
        }
    }
}

fn route(process: &Process, action: &str) -> Result<()> {
    let namespace = format!("--net=/proc/{}/ns/net", process.id());
    let output = Command::new("nsenter")
        .args([&namespace, "ip", "route", action, "blackhole"])
        .arg(format!("{KUBERNETES}/32"))
        .output()
        .context("starting nsenter")?;
    if !output.status.success() {
        bail!(
            "ip route {action}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}
