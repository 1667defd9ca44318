//! A cluster, ours or somebody's.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::images::Archives;
use crate::kubectl::{Kubectl, said};
use crate::packages;
use crate::programs::Programs;
use crate::state::{State, change};
use crate::thirdparty::{HELM, KUBERNETES};
use crate::{control_plane, network, node, sysctls, teardown};

/// From the kubelet's start: a second on an idle machine.
const NODE_READY: Duration = Duration::from_secs(120);

/// A running cluster. Dropping it leaves it running; see [`Self::guard`].
#[derive(Clone, Debug)]
pub struct Cluster {
    kubectl: Kubectl,
    helm: PathBuf,
    state: Option<State>,
}

impl Cluster {
    /// Starts a cluster in `state` with the images in `archives`, and returns
    /// when a pod could run.
    ///
    /// # Errors
    /// There is one already, the machine lacks something, or a program does
    /// not start; what had been started is taken down again.
    pub fn up(state: &State, archives: &Archives) -> Result<Self> {
        packages::install()?;
        let programs = Programs::get()?;
        network::unclaimed()?;
        state.create()?;
        network::claim(state)?;
        let cluster = Self {
            kubectl: Kubectl::new(programs.kube("kubectl"), state.kubeconfig("admin")),
            helm: programs.helm.clone(),
            state: Some(state.clone()),
        };
        let guard = cluster.guard();
        cluster.start(state, &programs, archives)?;
        guard.disarm();
        Ok(cluster)
    }

    fn start(&self, state: &State, programs: &Programs, archives: &Archives) -> Result<()> {
        let begin = Instant::now();
        let step = |what: &str| eprintln!("{:6.1} s  {what}", begin.elapsed().as_secs_f64());
        sysctls::save(state)?;
        network::bring_up()?;
        control_plane::prepare(state)?;
        control_plane::start(state, programs, &self.kubectl)?;
        step("API server ready");
        node::start_containerd(state)?;
        for archive in archives.files() {
            node::import(state, archive)?;
        }
        step("images imported");
        node::start(state, programs)?;
        self.kubectl.wait(
            "default",
            &format!("node/{}", node::NAME),
            "condition=Ready",
            NODE_READY,
        )?;
        // Pods are refused until the controller manager has made it.
        self.kubectl
            .wait("default", "serviceaccount/default", "create", NODE_READY)?;
        step("node ready");
        Ok(())
    }

    /// A cluster that is there: the one that `KUBECONFIG` names (kind, k3d, a
    /// cloud; the images must be there already), else the one on this machine.
    ///
    /// # Errors
    /// There is neither.
    pub fn attach() -> Result<Self> {
        let local = State::current()?;
        let kubeconfig = match (
            std::env::var_os("KUBECONFIG").filter(|path| !path.is_empty()),
            &local,
        ) {
            (Some(path), _) => PathBuf::from(path),
            (None, Some(state)) => state.kubeconfig("admin"),
            (None, None) => {
                bail!("no cluster here: start one with `make cluster`, or set KUBECONFIG")
            }
        };
        let state = local.filter(|state| kubeconfig.starts_with(state.root()));
        let kubectl = Kubectl::new(KUBERNETES.link("kubectl")?, kubeconfig);
        kubectl
            .run(&["get", "--raw", "/readyz"])
            .context("the cluster does not answer")?;
        Ok(Self {
            kubectl,
            helm: HELM.binary()?,
            state,
        })
    }

    /// `kubectl` as an administrator.
    #[must_use]
    pub fn kubectl(&self) -> &Kubectl {
        &self.kubectl
    }

    /// The state folder, when the cluster is on this machine.
    #[must_use]
    pub fn state(&self) -> Option<&State> {
        self.state.as_ref()
    }

    /// The same cluster, with another version of Helm.
    #[must_use]
    pub fn with_helm(&self, helm: PathBuf) -> Self {
        Self {
            helm,
            ..self.clone()
        }
    }

    /// Standard output of a `helm` call that must succeed.
    ///
    /// # Errors
    /// It fails; the error holds what it said.
    pub fn helm(&self, arguments: &[&str]) -> Result<String> {
        let output = self
            .helm_command(arguments)
            .output()
            .context("starting helm")?;
        said(&output, format_args!("helm {}", arguments.join(" ")))
    }

    /// The `helm` command, which neither reads nor writes the user's own
    /// configuration.
    #[must_use]
    pub fn helm_command(&self, arguments: &[&str]) -> Command {
        let home = self
            .state
            .as_ref()
            .map_or_else(std::env::temp_dir, |state| state.path("helm"));
        let mut command = Command::new(&self.helm);
        for variable in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
            command.env(variable, &home);
        }
        command
            .arg("--kubeconfig")
            .arg(self.kubectl.kubeconfig())
            .args(arguments);
        command
    }

    /// Takes the cluster down when dropped, in a panic too. A cluster that
    /// somebody else made is left alone.
    pub fn guard(&self) -> Guard {
        Guard {
            state: self.state.clone(),
        }
    }
}

/// See [`Cluster::guard`].
#[must_use = "dropping it takes the cluster down"]
pub struct Guard {
    state: Option<State>,
}

impl Guard {
    /// Leaves the cluster running after all.
    pub fn disarm(mut self) {
        self.state = None;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let Some(state) = self.state.take() else {
            return;
        };
        // Not while an interrupt takes it down already.
        let _change = change();
        if let Err(error) = teardown::down(&state) {
            eprintln!("{error:#}");
        }
    }
}
