//! The command line.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use credence_core::Environment;

use crate::exit;

/// Call third-party APIs without holding their credentials: the same manifests
/// as on a cluster, on this machine.
#[derive(Debug, Parser)]
#[command(name = "credence", version, after_help = exit::EXPLAINED)]
pub struct CommandLine {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the command does.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the collections of manifests on a local port, and reload them when
    /// a file changes.
    Run(RunArgs),
    /// Check manifests without a cluster, for both environments.
    Lint(LintArgs),
    /// Show the main job end to end, with a provider of its own that refuses
    /// every call without its key.
    Demo(DemoArgs),
}

/// Arguments of `credence run`.
#[derive(Debug, Args)]
#[command(after_help = exit::EXPLAINED)]
pub struct RunArgs {
    /// Files, and folders to read recursively (*.yaml, *.yml, *.json).
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Whose credentials are used: live or development. When left out, the
    /// label credence.dev/environment of the Namespace document decides, and
    /// without one it is development.
    #[arg(long, value_name = "ENVIRONMENT")]
    pub environment: Option<Environment>,
    /// Where the proxy listens; port 0 lets the system choose.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:2733", value_parser = loopback)]
    pub listen: SocketAddr,
    /// Where /livez, /readyz and /metrics are; port 0 lets the system choose.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:2734", value_parser = loopback)]
    pub admin: SocketAddr,
    /// The namespace whose collections are served; needed only when the files
    /// hold collections of several. Objects that name no namespace are in it.
    #[arg(long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
}

/// Arguments of `credence lint`.
#[derive(Debug, Args)]
#[command(after_help = exit::EXPLAINED)]
pub struct LintArgs {
    /// Files, and folders to read recursively (*.yaml, *.yml, *.json).
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
}

/// Arguments of `credence demo`.
#[derive(Debug, Args)]
#[command(after_help = exit::EXPLAINED)]
pub struct DemoArgs {
    /// End after the calls were made, instead of leaving everything running to
    /// be tried.
    #[arg(long)]
    pub exit: bool,
}

/// Whoever reaches the proxy can use the credentials, so that it listens to
/// this machine only.
fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text
        .parse()
        .map_err(|_| "write an address and a port, such as 127.0.0.1:2733".to_owned())?;
    let is_loopback = match address.ip() {
        IpAddr::V4(ip) => ip.is_loopback(),
        IpAddr::V6(ip) => ip.is_loopback(),
    };
    if is_loopback {
        Ok(address)
    } else {
        Err(
            "not a loopback address: whoever reaches it could use your credentials, \
             so only 127.0.0.1:PORT and [::1]:PORT are allowed"
                .to_owned(),
        )
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn only_loopback_addresses_are_listened_on() {
        for good in ["127.0.0.1:2733", "127.1.2.3:0", "[::1]:2733"] {
            assert!(loopback(good).is_ok(), "{good}");
        }
        for bad in [
            "0.0.0.0:2733",
            "[::]:2733",
            "192.168.1.2:80",
            "[::ffff:127.0.0.1]:80",
        ] {
            assert!(
                loopback(bad).unwrap_err().starts_with("not a loopback"),
                "{bad}"
            );
        }
        for bad in ["2733", "localhost:2733", "127.0.0.1", ""] {
            assert!(
                loopback(bad).unwrap_err().starts_with("write an address"),
                "{bad}"
            );
        }
    }
}
