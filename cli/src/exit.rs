//! How the command ends.

use std::process::ExitCode;

/// What the exit status says. `--help` lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All is well; `run` was told to end, and did.
    Success,
    /// The manifests have errors, or a call of the demo went wrong.
    Failed,
    /// The command line asks for something that cannot be.
    Usage,
    /// The machine refused: a file, a port.
    Environment,
}

/// For `--help`.
pub(crate) const EXPLAINED: &str = "\
Exit status:
  0  done; of `run`: ended by SIGINT or SIGTERM after calls in flight were finished
  1  the manifests have errors; of `demo`: a call did not do what it must
  2  the command line is wrong, or the namespace must be chosen with --namespace
  3  a file could not be read, an address not be listened on, or a variable such
     as HTTPS_PROXY not be used";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Success => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Environment => 3,
        })
    }
}
