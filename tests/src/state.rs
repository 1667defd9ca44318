//! The folder that holds a running cluster, and how another process finds it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, bail};

/// The network interface whose address is the node's. There is one
/// cluster a machine: whoever creates this interface has it, and the
/// interface's alias names the state folder.
pub const LINK: &str = "credence0";

/// A unix socket's path may have 107 bytes; the longest one in the folder is
/// `/containerd.sock.ttrpc`.
const LONGEST_ROOT: usize = 107 - "/containerd.sock.ttrpc".len();

/// Held for each change that a teardown would have to undo.
static CHANGE: Mutex<()> = Mutex::new(());

/// Lets no other thread change anything for as long as the answer is kept: so
/// a teardown which ends in this process's own end misses nothing.
pub fn change() -> MutexGuard<'static, ()> {
    CHANGE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The layout of a state folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    root: PathBuf,
}

impl State {
    /// The folder `root`, which need not exist yet.
    ///
    /// # Errors
    /// The path is not absolute, or too long for the sockets in it.
    pub fn new(root: &Path) -> Result<Self> {
        if !root.is_absolute() {
            bail!(
                "the state folder {} must be an absolute path",
                root.display()
            );
        }
        if root.as_os_str().len() > LONGEST_ROOT {
            bail!(
                "the state folder {} is too long for the sockets in it: at most {LONGEST_ROOT} bytes",
                root.display()
            );
        }
        if root.parent().is_none() {
            bail!("the state folder cannot be the root of the file system");
        }
        Ok(Self {
            root: root.to_owned(),
        })
    }

    /// The folder used when none is named: below the user's cache.
    ///
    /// # Errors
    /// Neither `XDG_CACHE_HOME` nor `HOME` is set.
    pub fn standard() -> Result<Self> {
        Self::new(&cache()?.join("cluster"))
    }

    /// The folder of the cluster that is on this machine now, if there is one
    /// (running or in pieces).
    ///
    /// # Errors
    /// The interface is there but its alias names no usable folder: it is not
    /// ours.
    pub fn current() -> Result<Option<Self>> {
        let interface = Path::new("/sys/class/net").join(LINK);
        if !interface.exists() {
            return Ok(None);
        }
        let alias = fs::read_to_string(interface.join("ifalias"))?;
        let root = alias.trim();
        if root.is_empty() {
            // A start that was killed between its first two steps: nothing is
            // in its folder yet, so any will do.
            return Self::standard().map(Some);
        }
        Self::new(Path::new(root))
            .with_context(|| format!("the network interface {LINK} was not made here"))
            .map(Some)
    }

    /// Creates the folder, for its owner only: the keys in it open the cluster.
    ///
    /// # Errors
    /// The file system refuses, or there is something in it already.
    pub fn create(&self) -> Result<()> {
        let root = self.root.display();
        fs::create_dir_all(&self.root).with_context(|| format!("creating {root}"))?;
        fs::set_permissions(&self.root, Permissions::from_mode(0o700))?;
        if fs::read_dir(&self.root)?.next().is_some() {
            bail!(
                "the state folder {root} is not empty: clean up with `make cluster-down`, or name another"
            );
        }
        Ok(())
    }

    /// The folder itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A file or folder in it.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// A file or folder in it, as text for a configuration file or a flag.
    #[must_use]
    pub fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// Where a program's output goes.
    #[must_use]
    pub fn log(&self, program: &str) -> PathBuf {
        self.path("log").join(format!("{program}.log"))
    }

    /// The kubeconfig of one of the cluster's identities, such as `admin`.
    #[must_use]
    pub fn kubeconfig(&self, identity: &str) -> PathBuf {
        self.path("kubeconfig").join(identity)
    }

    /// containerd's socket.
    #[must_use]
    pub fn containerd(&self) -> PathBuf {
        self.path("containerd.sock")
    }

    /// Writes a file in the folder, creating the folders above it.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn write(&self, name: &str, content: &str) -> Result<PathBuf> {
        let _change = change();
        let path = self.path(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).with_context(|| format!("creating {}", parent.display()))?;
        }
        fs::write(&path, content).with_context(|| format!("writing {}", path.display()))?;
        Ok(path)
    }
}

/// `${XDG_CACHE_HOME:-$HOME/.cache}/credence`.
///
/// # Errors
/// Neither variable is set.
pub fn cache() -> Result<PathBuf> {
    let base = match std::env::var_os("XDG_CACHE_HOME").filter(|value| !value.is_empty()) {
        Some(base) => PathBuf::from(base),
        None => PathBuf::from(std::env::var_os("HOME").context("set HOME or XDG_CACHE_HOME")?)
            .join(".cache"),
    };
    Ok(base.join("credence"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_or_overlong_folder_is_refused() {
        assert!(State::new(Path::new("cluster")).is_err());
        assert!(State::new(Path::new("/")).is_err());
        assert!(State::new(&Path::new("/tmp").join("x".repeat(100))).is_err());
    }

    #[test]
    fn everything_lies_below_the_root() -> Result<()> {
        let state = State::new(Path::new("/tmp/here"))?;
        assert_eq!(state.log("etcd"), Path::new("/tmp/here/log/etcd.log"));
        assert_eq!(
            state.kubeconfig("admin"),
            Path::new("/tmp/here/kubeconfig/admin")
        );
        Ok(())
    }
}
