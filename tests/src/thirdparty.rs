//! Third-party programs that no package offers in the version wanted: built
//! once from their Go modules and kept in the user's cache.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use aws_lc_rs::digest::{SHA256, digest};

use crate::state::cache;

/// How a program is built.
pub enum Source {
    /// A folder in `tests/thirdparty` with `go.mod`, `go.sum` and `main.go`,
    /// and the required module whose version is the program's.
    Folder(&'static str),
    /// A main package that can be installed as it is.
    Package {
        /// Its import path.
        path: &'static str,
        /// Its version.
        version: &'static str,
    },
}

/// One program, or one binary that is several programs by its name.
pub struct ThirdParty {
    /// The binary's name and the beginning of its folder's.
    pub name: &'static str,
    /// Where it comes from.
    pub source: Source,
    /// The names it is called by, when not its own.
    pub links: &'static [&'static str],
    /// What the first build says before it begins.
    pub notice: &'static str,
}

/// Kubernetes. Without the stamp it would call itself v0.0.0, which Helm and
/// others that look at versions stumble over.
pub const KUBERNETES: ThirdParty = ThirdParty {
    name: "kube",
    source: Source::Folder("k8s.io/kubernetes"),
    links: &[
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
        "kube-proxy",
        "kubelet",
        "kubectl",
    ],
    notice: "building kube-apiserver & co, about 8 minutes the first time",
};

/// etcd.
pub const ETCD: ThirdParty = ThirdParty {
    name: "etcd",
    source: Source::Folder("go.etcd.io/etcd/server/v3"),
    links: &[],
    notice: "building etcd, about 1 minute the first time",
};

/// CoreDNS.
pub const COREDNS: ThirdParty = ThirdParty {
    name: "coredns",
    source: Source::Folder("github.com/coredns/coredns"),
    links: &[],
    notice: "building CoreDNS, about 2 minutes the first time",
};

/// Helm.
pub const HELM: ThirdParty = ThirdParty {
    name: "helm",
    source: Source::Package {
        path: "helm.sh/helm/v4/cmd/helm",
        version: "v4.3.1",
    },
    links: &[],
    notice: "building Helm, about 3 minutes the first time",
};

/// Helm's previous major version, which many still use.
pub const HELM_3: ThirdParty = ThirdParty {
    name: "helm3",
    source: Source::Package {
        path: "helm.sh/helm/v3/cmd/helm",
        version: "v3.22.0",
    },
    links: &[],
    notice: "building Helm 3, about 3 minutes the first time",
};

/// Compares manifests with schemas.
pub const KUBECONFORM: ThirdParty = ThirdParty {
    name: "kubeconform",
    source: Source::Package {
        path: "github.com/yannh/kubeconform/cmd/kubeconform",
        version: "v0.8.0",
    },
    links: &[],
    notice: "building kubeconform, about 10 seconds the first time",
};

/// Stripe's own stand-in for its API, made from its OpenAPI description.
pub const STRIPE_MOCK: ThirdParty = ThirdParty {
    name: "stripe-mock",
    source: Source::Package {
        path: "github.com/stripe/stripe-mock",
        version: "v0.203.0",
    },
    links: &[],
    notice: "building stripe-mock, about 1 minute the first time",
};

/// The Prometheus operator's module and its version: its definitions are in it.
pub const PROMETHEUS_OPERATOR: (&str, &str) = (
    "github.com/prometheus-operator/prometheus-operator",
    "v0.85.0",
);

/// The folder with the sources of a Go module, fetched if it is not in Go's
/// own cache.
///
/// # Errors
/// Go is missing, or the module cannot be fetched.
pub fn module(path: &str, version: &str) -> Result<PathBuf> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Download {
        dir: PathBuf,
    }
    let module = format!("{path}@{version}");
    let output = Command::new("go")
        .args(["mod", "download", "-json", &module])
        // In no module, whose go.mod would have a say.
        .current_dir(std::env::temp_dir())
        .output()
        .context("starting go")?;
    let download: Download = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("{module}: {}", String::from_utf8_lossy(&output.stdout)))?;
    Ok(download.dir)
}

/// The folder with the Go modules.
#[must_use]
pub fn sources() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/thirdparty"))
}

impl ThirdParty {
    /// The binary, built now if it is not in the cache.
    ///
    /// # Errors
    /// Go is missing or the build fails.
    pub fn binary(&self) -> Result<PathBuf> {
        let home = cache()?.join(self.key()?);
        let binary = home.join(self.name);
        if !binary.is_file() {
            self.build(&home)
                .with_context(|| format!("building {}", self.name))?;
        }
        Ok(binary)
    }

    /// Whether the binary is in the cache.
    ///
    /// # Errors
    /// There is no place for a cache.
    pub fn is_built(&self) -> Result<bool> {
        Ok(cache()?.join(self.key()?).join(self.name).is_file())
    }

    /// The binary under one of its other names.
    ///
    /// # Errors
    /// As [`Self::binary`].
    pub fn link(&self, name: &str) -> Result<PathBuf> {
        Ok(self.binary()?.with_file_name(name))
    }

    /// The version as in `v1.36.3`.
    ///
    /// # Errors
    /// The module's `go.mod` cannot be read or does not require the module.
    pub fn version(&self) -> Result<String> {
        match self.source {
            Source::Package { version, .. } => Ok(version.to_owned()),
            Source::Folder(module) => {
                let text = fs::read_to_string(sources().join(self.name).join("go.mod"))?;
                required(&text, module)
                    .with_context(|| format!("{} does not require {module}", self.name))
            }
        }
    }

    /// `kube-v1.36.3-<digest>`: another version or another main is another
    /// folder.
    fn key(&self) -> Result<String> {
        let version = self.version()?;
        let Source::Folder(_) = self.source else {
            return Ok(format!("{}-{version}", self.name));
        };
        let mut all = self.flags(&version).into_bytes();
        for file in ["go.mod", "go.sum", "main.go"] {
            all.extend(fs::read(sources().join(self.name).join(file))?);
        }
        let digest = digest(&SHA256, &all);
        let digest: String = digest
            .as_ref()
            .iter()
            .take(6)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Ok(format!("{}-{version}-{digest}", self.name))
    }

    /// Builds beside the final folder and renames, so that a build which is
    /// broken off leaves nothing that looks finished.
    fn build(&self, home: &Path) -> Result<()> {
        eprintln!("{}", self.notice);
        let version = self.version()?;
        let draft = home.with_extension(format!("draft-{}", std::process::id()));
        fs::create_dir_all(&draft)?;
        let mut go = Command::new("go");
        go.env("CGO_ENABLED", "0").stdout(std::io::stderr());
        let flags = format!("-ldflags={}", self.flags(&version));
        match self.source {
            Source::Folder(_) => go
                .args(["build", "-trimpath", &flags, "-o"])
                .arg(draft.join(self.name))
                .arg(".")
                .current_dir(sources().join(self.name)),
            Source::Package { path, .. } => go
                .args(["install", "-trimpath", &flags, &format!("{path}@{version}")])
                .env("GOBIN", &draft),
        };
        let status = go.status().context("starting go")?;
        if !status.success() {
            fs::remove_dir_all(&draft)?;
            bail!("go build failed");
        }
        if let Source::Package { path, .. } = self.source {
            // Go names a program by the folder of its package.
            let (_, folder) = path.rsplit_once('/').unwrap_or_default();
            fs::rename(draft.join(folder), draft.join(self.name))?;
        }
        for link in self.links {
            std::os::unix::fs::symlink(self.name, draft.join(link))?;
        }
        if home.exists() {
            // Another run was quicker, or somebody removed the binary alone.
            fs::remove_dir_all(home)?;
        }
        fs::rename(&draft, home)?;
        Ok(())
    }

    fn flags(&self, version: &str) -> String {
        if self.name != KUBERNETES.name {
            return "-s -w".to_owned();
        }
        let mut numbers = version.trim_start_matches('v').split('.');
        let (major, minor) = (numbers.next().unwrap_or("0"), numbers.next().unwrap_or("0"));
        let values = [
            ("gitVersion", version),
            ("gitMajor", major),
            ("gitMinor", minor),
            ("gitCommit", "none"),
            ("gitTreeState", "clean"),
            ("buildDate", "1970-01-01T00:00:00Z"),
        ];
        values
            .iter()
            .fold("-s -w".to_owned(), |flags, (name, value)| {
                format!("{flags} -X k8s.io/component-base/version.{name}={value}")
            })
    }
}

/// The version at which a `go.mod` requires a module.
fn required(text: &str, module: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let mut words = line
            .trim()
            .trim_start_matches("require ")
            .split_whitespace();
        (words.next()? == module)
            .then(|| words.next())?
            .map(str::to_owned)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_comes_from_the_module_file() {
        let text = "module x\n\nrequire a.b/c v1.2.3\n\nrequire (\n\td.e/f v0.1.0 // indirect\n)\nreplace (\n\ta.b/c => a.b/c v9.9.9\n)\n";
        assert_eq!(required(text, "a.b/c").as_deref(), Some("v1.2.3"));
        assert_eq!(required(text, "d.e/f").as_deref(), Some("v0.1.0"));
        assert_eq!(required(text, "a.b"), None);
    }

    #[test]
    fn every_module_has_a_key_with_its_version() -> Result<()> {
        let helms = [HELM, HELM_3];
        let others = [KUBERNETES, ETCD, COREDNS, KUBECONFORM, STRIPE_MOCK];
        for program in helms.into_iter().chain(others) {
            assert!(program.key()?.starts_with(&format!("{}-v", program.name)));
        }
        Ok(())
    }

    #[test]
    fn kubernetes_is_stamped_with_its_version() {
        assert!(KUBERNETES.flags("v1.36.3").contains("version.gitMinor=36 "));
    }
}
