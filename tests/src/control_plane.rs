//! etcd, the API server and those that act through it.

use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};
use base64::prelude::{BASE64_STANDARD, Engine as _};

use crate::kubectl::Kubectl;
use crate::network::{API, CLUSTER, KUBERNETES, NODE, SERVICES};
use crate::node;
use crate::pki::{Authority, Identity, Signer};
use crate::process::Process;
use crate::programs::Programs;
use crate::state::State;
use crate::wait;

/// From start to `/readyz`: two seconds on an idle machine.
const READY: Duration = Duration::from_secs(90);

/// Who asks is recorded for everything, what was said for nothing: enough to
/// show which Secrets were read and by whom, and no value in the log.
const AUDIT: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
";

/// Makes the cluster's keys, certificates and kubeconfigs.
///
/// # Errors
/// A key cannot be made or a file not be written.
pub fn prepare(state: &State) -> Result<()> {
    let authority = Authority::new("credence-test-cluster")?;
    state.write("pki/ca.crt", authority.certificate())?;
    // The controller manager signs with it.
    state.write("pki/ca.key", &authority.key())?;
    let signer = Signer::new()?;
    state.write("pki/tokens.key", &signer.private)?;
    state.write("pki/tokens.pub", &signer.public)?;
    let names = [
        "localhost",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
    ];
    let addresses = [NODE, KUBERNETES, Ipv4Addr::LOCALHOST].map(IpAddr::V4);
    write(
        state,
        "apiserver",
        &authority.server("kube-apiserver", &names, &addresses)?,
    )?;
    write(
        state,
        "kubelet",
        &authority.server(node::NAME, &[node::NAME], &[IpAddr::V4(NODE)])?,
    )?;
    write(
        state,
        "apiserver-to-kubelet",
        &authority.client("kube-apiserver", Some("system:masters"))?,
    )?;
    let node = format!("system:node:{}", node::NAME);
    for (name, user, group) in [
        ("admin", "admin", Some("system:masters")),
        ("controller-manager", "system:kube-controller-manager", None),
        ("scheduler", "system:kube-scheduler", None),
        ("proxy", "system:kube-proxy", None),
        ("dns", "coredns", Some("system:masters")),
        ("kubelet", node.as_str(), Some("system:nodes")),
    ] {
        let identity = authority.client(user, group)?;
        state.write(
            &format!("kubeconfig/{name}"),
            &kubeconfig(authority.certificate(), &identity),
        )?;
    }
    state.write("audit.yaml", AUDIT)?;
    Ok(())
}

/// Starts the programs, each when what it needs is there.
///
/// # Errors
/// One of them does not start or is not ready in time; the error holds the end
/// of its log.
pub fn start(state: &State, programs: &Programs, kubectl: &Kubectl) -> Result<()> {
    let file = |name: &str| state.text(name);
    let client = "http://127.0.0.1:2379";
    let peer = "http://127.0.0.1:2380";
    Process::start(
        state,
        "etcd",
        Command::new(&programs.etcd)
            .arg(format!("--data-dir={}", file("etcd")))
            .args([
                format!("--listen-client-urls={client}"),
                format!("--advertise-client-urls={client}"),
            ])
            .args([
                format!("--listen-peer-urls={peer}"),
                format!("--initial-advertise-peer-urls={peer}"),
            ])
            .arg(format!("--initial-cluster=default={peer}"))
            // Nobody wants this data after the machine loses power.
            .arg("--unsafe-no-fsync"),
    )?;
    let api = Process::start(
        state,
        "kube-apiserver",
        Command::new(programs.kube("kube-apiserver"))
            .arg(format!("--etcd-servers={client}"))
            .args([
                format!("--bind-address={NODE}"),
                format!("--advertise-address={NODE}"),
                format!("--secure-port={API}"),
            ])
            .arg(format!("--service-cluster-ip-range={SERVICES}"))
            .arg(format!("--cert-dir={}", file("pki")))
            .arg(format!("--tls-cert-file={}", file("pki/apiserver.crt")))
            .arg(format!(
                "--tls-private-key-file={}",
                file("pki/apiserver.key")
            ))
            .arg(format!("--client-ca-file={}", file("pki/ca.crt")))
            .arg("--service-account-issuer=https://kubernetes.default.svc")
            .arg(format!(
                "--service-account-key-file={}",
                file("pki/tokens.pub")
            ))
            .arg(format!(
                "--service-account-signing-key-file={}",
                file("pki/tokens.key")
            ))
            .arg("--authorization-mode=Node,RBAC")
            .arg("--enable-admission-plugins=NodeRestriction")
            .arg("--allow-privileged")
            // The node's name is in no DNS: logs and exec go to its address.
            .arg("--kubelet-preferred-address-types=InternalIP")
            .arg(format!(
                "--kubelet-certificate-authority={}",
                file("pki/ca.crt")
            ))
            .arg(format!(
                "--kubelet-client-certificate={}",
                file("pki/apiserver-to-kubelet.crt")
            ))
            .arg(format!(
                "--kubelet-client-key={}",
                file("pki/apiserver-to-kubelet.key")
            ))
            .arg(format!("--audit-policy-file={}", file("audit.yaml")))
            .arg(format!("--audit-log-path={}", file("log/audit.log"))),
    )?;
    wait::until("the API server", READY, || {
        alive(state, &api)?;
        Ok(kubectl.run(&["get", "--raw", "/readyz"]).ok())
    })?;
    Process::start(
        state,
        "kube-controller-manager",
        Command::new(programs.kube("kube-controller-manager"))
            .arg(format!(
                "--kubeconfig={}",
                state.kubeconfig("controller-manager").display()
            ))
            .arg(format!(
                "--service-account-private-key-file={}",
                file("pki/tokens.key")
            ))
            .arg(format!("--root-ca-file={}", file("pki/ca.crt")))
            .arg(format!(
                "--cluster-signing-cert-file={}",
                file("pki/ca.crt")
            ))
            .arg(format!("--cluster-signing-key-file={}", file("pki/ca.key")))
            .arg(format!("--cert-dir={}", file("pki")))
            .arg(format!(
                "--flex-volume-plugin-dir={}",
                file("volume-plugins")
            ))
            .args([
                "--use-service-account-credentials",
                "--leader-elect=false",
                "--bind-address=127.0.0.1",
            ])
            .args([
                "--allocate-node-cidrs=true",
                &format!("--cluster-cidr={CLUSTER}"),
            ]),
    )?;
    Process::start(
        state,
        "kube-scheduler",
        Command::new(programs.kube("kube-scheduler"))
            .arg(format!(
                "--kubeconfig={}",
                state.kubeconfig("scheduler").display()
            ))
            .arg(format!("--cert-dir={}", file("pki")))
            .args(["--leader-elect=false", "--bind-address=127.0.0.1"]),
    )?;
    Ok(())
}

/// Fails with the end of the log when the program has ended.
pub(crate) fn alive(state: &State, process: &Process) -> Result<()> {
    if process.is_running() {
        return Ok(());
    }
    let log = std::fs::read_to_string(state.log(process.name())).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    let end = lines
        .get(lines.len().saturating_sub(15)..)
        .unwrap_or_default()
        .join("\n");
    bail!("{} has ended; the end of its log:\n{end}", process.name())
}

fn write(state: &State, name: &str, identity: &Identity) -> Result<()> {
    state.write(&format!("pki/{name}.crt"), &identity.certificate)?;
    state.write(&format!("pki/{name}.key"), &identity.key)?;
    Ok(())
}

/// All in one file, so that it can be copied.
fn kubeconfig(authority: &str, identity: &Identity) -> String {
    let [authority, certificate, key] =
        [authority, &identity.certificate, &identity.key].map(|pem| BASE64_STANDARD.encode(pem));
    format!(
        "apiVersion: v1
kind: Config
clusters:
- name: credence
  cluster: {{server: \"https://{NODE}:{API}\", certificate-authority-data: {authority}}}
users:
- name: user
  user: {{client-certificate-data: {certificate}, client-key-data: {key}}}
contexts:
- name: credence
  context: {{cluster: credence, user: user}}
current-context: credence
"
    )
}
