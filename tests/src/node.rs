//! The one node: containerd, kubelet, kube-proxy, and DNS for its pods.

use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::control_plane::alive;
use crate::network::{CLUSTER, FIRST_POD, NODE, PODS};
use crate::packages::PLUGINS;
use crate::process::Process;
use crate::programs::Programs;
use crate::state::State;
use crate::{image, wait};

/// The node's name.
pub const NAME: &str = "credence";

/// containerd and CoreDNS answer within a second on an idle machine.
const ANSWERS: Duration = Duration::from_secs(60);

/// statfs(2): what `f_type` says of an overlay file system.
const OVERLAY: i64 = 0x794c_7630;

/// Starts containerd and waits until it answers.
///
/// # Errors
/// It does not start or answer.
pub fn start_containerd(state: &State) -> Result<()> {
    state.write("cni/10-credence.conflist", &cni(state))?;
    state.write(
        "containerd.toml",
        &containerd(state, snapshotter(state.root())?),
    )?;
    let containerd = Process::start(
        state,
        "containerd",
        Command::new("containerd")
            .arg("-c")
            .arg(state.path("containerd.toml")),
    )?;
    wait::until("containerd", ANSWERS, || {
        alive(state, &containerd)?;
        Ok(ctr(state, &["version"]).ok())
    })
}

/// Puts an image archive into containerd, where the kubelet finds it.
///
/// # Errors
/// containerd refuses it.
pub fn import(state: &State, archive: &Path) -> Result<()> {
    let archive = archive.to_str().context("a path in UTF-8")?;
    ctr(state, &["images", "import", "--no-unpack", archive])
}

/// Starts the kubelet, kube-proxy and CoreDNS.
///
/// # Errors
/// One of them does not start.
pub fn start(state: &State, programs: &Programs) -> Result<()> {
    // No servers: a pod that looks up a name outside the cluster is told at
    // once that nobody knows.
    let resolver = state.write("resolv.conf", "")?;
    state.write("kubelet.yaml", &kubelet(state, &resolver))?;
    Process::start(
        state,
        "kubelet",
        Command::new(programs.kube("kubelet"))
            .arg(format!("--config={}", state.text("kubelet.yaml")))
            .arg(format!(
                "--kubeconfig={}",
                state.kubeconfig("kubelet").display()
            ))
            .arg(format!("--root-dir={}", state.text("kubelet")))
            .arg(format!("--cert-dir={}", state.text("kubelet/pki")))
            .args([
                format!("--hostname-override={NAME}"),
                format!("--node-ip={NODE}"),
            ]),
    )?;
    Process::start(
        state,
        "kube-proxy",
        Command::new(programs.kube("kube-proxy"))
            .arg(format!(
                "--kubeconfig={}",
                state.kubeconfig("proxy").display()
            ))
            .args([
                format!("--hostname-override={NAME}"),
                format!("--cluster-cidr={CLUSTER}"),
            ])
            .args(["--proxy-mode=nftables", "--bind-address=127.0.0.1"])
            .args([
                "--healthz-bind-address=127.0.0.1:10256",
                "--metrics-bind-address=127.0.0.1:10249",
            ])
            // The machine's own connection tracking limits stay as they are.
            .args([
                "--conntrack-max-per-core=0",
                "--conntrack-tcp-timeout-established=0s",
            ])
            .args(["--conntrack-tcp-timeout-close-wait=0s"]),
    )?;
    let corefile = state.write("Corefile", &corefile(state))?;
    let dns = Process::start(
        state,
        "coredns",
        Command::new(&programs.coredns).arg("-conf").arg(corefile),
    )?;
    wait::until("CoreDNS", ANSWERS, || {
        alive(state, &dns)?;
        Ok(TcpStream::connect(SocketAddr::from((NODE, 53))).ok())
    })?;
    Ok(())
}

fn ctr(state: &State, arguments: &[&str]) -> Result<()> {
    let output = Command::new("ctr")
        .arg("--address")
        .arg(state.containerd())
        .args(["--namespace", "k8s.io"])
        .args(arguments)
        .output()
        .context("starting ctr")?;
    if !output.status.success() {
        bail!(
            "ctr {}: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(())
}

/// An overlay cannot lie on an overlay, which is what the root of most
/// containers is; copying always works.
fn snapshotter(folder: &Path) -> Result<&'static str> {
    let kind = rustix::fs::statfs(folder)?.f_type;
    Ok(if kind == OVERLAY {
        "native"
    } else {
        "overlayfs"
    })
}

fn cni(state: &State) -> String {
    let addresses = state.text("addresses");
    format!(
        r#"{{"cniVersion": "0.4.0", "name": "credence", "plugins": [{{"type": "ptp", "ipMasq": false, "ipam": {{
  "type": "host-local", "dataDir": "{addresses}", "routes": [{{"dst": "0.0.0.0/0"}}],
  "ranges": [[{{"subnet": "{PODS}", "rangeStart": "{FIRST_POD}", "gateway": "{NODE}"}}]]}}}}]}}
"#
    )
}

/// `restrict_oom_score_adj`: where root lacks `CAP_SYS_RESOURCE`, the pause
/// container's negative score cannot be set and runc fails with "can't get
/// final child's PID from pipe: EOF".
fn containerd(state: &State, snapshotter: &str) -> String {
    let root = state.root().display();
    let pause = image::PAUSE;
    format!(
        r#"version = 2
root = "{root}/containerd/root"
state = "{root}/containerd/state"
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.internal.v1.tracing", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = "{root}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{PLUGINS}"
    conf_dir = "{root}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "{snapshotter}"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        Root = "{root}/runc"
"#
    )
}

/// Whatever the host is like (cgroup version 1, swap, a full disk), this node
/// starts; and it touches nothing outside the state folder that it need not.
fn kubelet(state: &State, resolver: &Path) -> String {
    let root = state.root().display();
    let resolver = resolver.display();
    format!(
        r#"apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: {NODE}
healthzBindAddress: 127.0.0.1
failCgroupV1: false
cgroupDriver: cgroupfs
failSwapOn: false
enforceNodeAllocatable: []
containerRuntimeEndpoint: unix://{root}/containerd.sock
authentication:
  anonymous: {{enabled: false}}
  webhook: {{enabled: true}}
  x509: {{clientCAFile: {root}/pki/ca.crt}}
authorization: {{mode: Webhook}}
tlsCertFile: {root}/pki/kubelet.crt
tlsPrivateKeyFile: {root}/pki/kubelet.key
clusterDNS: ["{NODE}"]
clusterDomain: cluster.local
resolvConf: {resolver}
makeIPTablesUtilChains: false
volumePluginDir: {root}/volume-plugins
podLogsDir: {root}/pods
imageGCHighThresholdPercent: 100
evictionHard: {{memory.available: 50Mi, nodefs.available: 0%, nodefs.inodesFree: 0%, imagefs.available: 0%, imagefs.inodesFree: 0%}}
"#
    )
}

fn corefile(state: &State) -> String {
    let kubeconfig = state.kubeconfig("dns");
    let kubeconfig = kubeconfig.display();
    format!(
        "cluster.local:53 in-addr.arpa:53 {{
  bind {NODE}
  errors
  kubernetes cluster.local in-addr.arpa {{
    kubeconfig {kubeconfig} credence
  }}
}}
"
    )
}
