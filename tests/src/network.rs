//! The node's address and the addresses of pods and Services.
//!
//! Pods hang on point-to-point links and everything between them is routed, so
//! that a Service answers with its own address wherever the two pods are,
//! without the kernel's bridge filtering. There is no way out of the machine:
//! no masquerading is set up.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::state::{LINK, State, change};
use crate::sysctls;

/// The node, the API server, DNS and the pods' gateway.
pub const NODE: Ipv4Addr = Ipv4Addr::new(10, 244, 0, 1);
/// Where pods get their addresses from.
pub const PODS: &str = "10.244.0.0/24";
/// The first address given to a pod.
pub const FIRST_POD: Ipv4Addr = Ipv4Addr::new(10, 244, 0, 10);
/// All pods there could be, for the controller manager and kube-proxy.
pub const CLUSTER: &str = "10.244.0.0/16";
/// Where Services get their addresses from.
pub const SERVICES: &str = "10.96.0.0/16";
/// The Service `kubernetes`.
pub const KUBERNETES: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 1);
/// The API server's port.
pub const API: u16 = 6443;

/// What the programs listen on.
const LISTENERS: [(Ipv4Addr, u16, &str); 10] = [
    (NODE, API, "kube-apiserver"),
    (NODE, 53, "CoreDNS"),
    (NODE, 10250, "kubelet"),
    (Ipv4Addr::LOCALHOST, 2379, "etcd"),
    (Ipv4Addr::LOCALHOST, 2380, "etcd"),
    (Ipv4Addr::LOCALHOST, 10248, "kubelet"),
    (Ipv4Addr::LOCALHOST, 10249, "kube-proxy"),
    (Ipv4Addr::LOCALHOST, 10256, "kube-proxy"),
    (Ipv4Addr::LOCALHOST, 10257, "kube-controller-manager"),
    (Ipv4Addr::LOCALHOST, 10259, "kube-scheduler"),
];

/// Checks that no cluster is on this machine.
///
/// # Errors
/// There is one.
pub fn unclaimed() -> Result<()> {
    match State::current()? {
        None => Ok(()),
        Some(other) => bail!(
            "there is a cluster already, in {}: end it with `make cluster-down` first",
            other.root().display()
        ),
    }
}

/// Takes this machine for the cluster in `state`: creates the interface that
/// stands for it. Creating is atomic, so two starts cannot both succeed.
///
/// # Errors
/// There is a cluster already, or the kernel refuses.
pub fn claim(state: &State) -> Result<()> {
    unclaimed()?;
    let _change = change();
    // A bridge that nothing is plugged into: the kernels of small virtual
    // machines often lack the `dummy` kind.
    ip(&["link", "add", LINK, "type", "bridge"])?;
    ip(&[
        "link",
        "set",
        LINK,
        "alias",
        &state.root().display().to_string(),
    ])
}

/// Gives the interface its address and lets packets be routed.
///
/// # Errors
/// The kernel refuses, or the ports are taken by others.
pub fn bring_up() -> Result<()> {
    let _change = change();
    ip(&["addr", "add", &format!("{NODE}/32"), "dev", LINK])?;
    ip(&["link", "set", LINK, "up"])?;
    sysctls::set("net.ipv4.ip_forward", "1")?;
    for (address, port, program) in LISTENERS {
        TcpListener::bind(SocketAddr::new(IpAddr::V4(address), port)).with_context(|| {
            format!("port {port} on {address}, which {program} needs, is taken")
        })?;
    }
    Ok(())
}

/// Gives the machine back: removes kube-proxy's tables and the interface.
///
/// # Errors
/// The interface is there and cannot be removed.
pub fn release() -> Result<()> {
    for family in ["ip", "ip6"] {
        // Fails when the table is not there, which is the aim.
        let _ = Command::new("nft")
            .args(["delete", "table", family, "kube-proxy"])
            .output();
    }
    let deleted = ip(&["link", "del", LINK]);
    // Fails when it is not there, which is the aim.
    if matches!(State::current(), Ok(None)) {
        return Ok(());
    }
    deleted
}

fn ip(arguments: &[&str]) -> Result<()> {
    let output = Command::new("ip")
        .args(arguments)
        .output()
        .context("starting ip")?;
    if !output.status.success() {
        bail!(
            "ip {}: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(())
}
