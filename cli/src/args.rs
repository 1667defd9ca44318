//! The command line.

mod call;
mod cluster;
mod token;

use std::net::{Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use clap::{
    ArgAction, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum,
};
use credence_core::Environment;

use crate::exit;

pub use call::CallArgs;
pub use cluster::ClusterArgs;
pub use token::TokenArgs;

/// The end of `credence lint --help`.
const LINT_EXPLAINED: &str = concat!(
    "\
An error is what an API server would refuse and what no cluster could make work.
A warning is about something that need not be in these files, such as the Secret
of the other environment; it does not change the exit status.

With --output json one object is printed:
  files, collections, errors, warnings   numbers
  ignored    how many objects there are of each kind that was not looked at
  problems   a list, by file and position, of objects with
             file, line, column (from 1, in characters), field (a path, or
             empty where the text as a whole is meant), severity (error or
             warning), message

",
    "Exit status:\n  0  no errors\n  1  errors\n  2  the command line is wrong\n  3  a file could not be read"
);

/// The end of `credence inject --help`.
const INJECT_EXPLAINED: &str = "\
Reads Pods, PodTemplates, ReplicationControllers, Deployments, StatefulSets,
DaemonSets, ReplicaSets, Jobs, CronJobs and Lists of them. Everything else is
printed as it was, but without comments, and with members in alphabetical order.
What became of each pod, and why, is said on standard error. The demands of a
namespace's ResourceQuotas and LimitRanges are known to the cluster only: give
amounts by annotation (credence.dev/cpu-limit) where it has any.

The certificates are those that the API server trusts the webhook by:

  kubectl get mutatingwebhookconfiguration credence-injector \\
    -o jsonpath='{.webhooks[0].clientConfig.caBundle}' | base64 -d > feed-ca.pem

Exit status:
  0  printed, with every pod that can have a sidecar
  1  a pod was refused, or a file is no YAML: nothing is printed
  2  the command line is wrong
  3  a file could not be read";

/// The end of `credence check --help`.
const CHECK_EXPLAINED: &str = concat!(
    "\
Each line is a question and its answer: \u{2713} as it should be, ! needs a look or cannot
be known, \u{2717} does not work. What to do about it stands below. Nothing is changed: a
pod that asks for a sidecar is sent as a dry run, and no Secret is read. Questions
that your own rights do not allow are answered by !.

With --output json one object is printed:
  failures, warnings   numbers
  findings   a list of objects with section, check (the question's name), verdict
             (ok, warning or failure), message, details (a list of texts), hint

",
    "Exit status:\n  0  no failures\n  1  failures\n  2  the command line is wrong\n  3  no cluster is configured"
);

/// Call third-party APIs without holding their credentials: the same manifests
/// as on a cluster, on this machine; and a look at what is on a cluster.
#[derive(Debug, Parser)]
#[command(name = "credence", version, after_help = exit::EXPLAINED)]
pub struct CommandLine {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// How kubectl finds it: `kubectl credence` runs a program of this name.
const PLUGIN: &str = "kubectl-credence";

impl CommandLine {
    /// Reads the process's own; its help and its errors call the command as
    /// the user does.
    pub fn read() -> Self {
        let called = std::env::args_os().next().unwrap_or_default();
        let mut command = Self::command();
        if Path::new(&called)
            .file_stem()
            .is_some_and(|name| name == PLUGIN)
        {
            command = command.bin_name("kubectl credence");
        }
        Self::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit())
    }
}

/// What the command does.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the collections of manifests on a local port, and reload them when
    /// a file changes.
    Run(RunArgs),
    /// Check manifests without a cluster, for both environments.
    Lint(LintArgs),
    /// Put the sidecar into manifests, as the cluster's webhook does.
    Inject(InjectArgs),
    /// Show the main job end to end, with a provider of its own that refuses
    /// every call without its key.
    Demo(DemoArgs),
    /// Make one call through a proxy that runs, as an app does: that of
    /// `credence run`, or a pod's.
    Call(CallArgs),
    /// Tell what is known of a collection's tokens, and never a token.
    Token(TokenArgs),
    /// Look at a cluster's installation, and say what is wrong and what to do.
    Check(CheckArgs),
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
    /// The namespace whose collections are served; needed only when the files
    /// hold collections of several. Objects that name no namespace are in it.
    #[arg(long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// The ServiceAccount that calls are made as: a collection whose
    /// spec.access.serviceAccounts leaves it out is not there.
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub service_account: String,
    /// Take ${secret.KEY} of the Secret NAME from the variable NAME_KEY, in
    /// upper case and with "_" for whatever is neither letter nor digit:
    /// OPENAI_DEV_API_KEY is api-key of openai-dev. Only keys that collections
    /// refer to are looked for. A variable that is set wins over a Secret in
    /// the files, and an empty one counts as not set.
    #[arg(long)]
    pub env_secrets: bool,
    /// Where the proxy listens: 127.0.0.1:2733 and [::1]:2733 unless given.
    /// Port 0 lets the system choose. What is not a loopback address needs
    /// --allow-remote and --allow-host.
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub listen: Option<SocketAddr>,
    /// Where /livez, /readyz and /metrics are; port 0 lets the system choose.
    /// What is not a loopback address needs --allow-remote.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:2734", value_parser = address)]
    pub admin: SocketAddr,
    /// Allow addresses that other machines can reach. Whoever reaches the proxy
    /// can use the credentials.
    #[arg(long)]
    pub allow_remote: bool,
    /// Another name by which the proxy may be called (the Host of a request),
    /// besides localhost: a host name or an IP address, without port. May be
    /// repeated.
    #[arg(long, value_name = "NAME", value_parser = host)]
    pub allow_host: Vec<String>,
    /// Keep tokens that are obtained for collections in memory only, instead of
    /// the folder credence/tokens of $XDG_STATE_HOME (~/.local/state). Not for
    /// providers that replace refresh tokens: what they gave last is lost.
    #[arg(long)]
    pub ephemeral: bool,
    /// Say more on standard error: -v what happens, -vv also each call.
    /// Nothing secret is said at any level.
    #[arg(short, long, action = ArgAction::Count)]
    pub verbose: u8,
}

/// Arguments of `credence lint`.
#[derive(Debug, Args)]
#[command(after_help = LINT_EXPLAINED)]
pub struct LintArgs {
    /// Files, and folders to read recursively (*.yaml, *.yml, *.json).
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// The form of what is printed.
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    pub output: Output,
}

/// Arguments of `credence check`.
#[derive(Debug, Args)]
#[command(after_help = CHECK_EXPLAINED)]
pub struct CheckArgs {
    /// The cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// Look at the collections and pods of this namespace only.
    #[arg(short, long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// Where the operator is installed.
    #[arg(long, value_name = "NAMESPACE", default_value = "credence-system")]
    pub operator_namespace: String,
    /// The form of what is printed.
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    pub output: Output,
}

/// The form of what `credence lint`, `credence token` and `credence check` print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Text,
    /// One JSON object.
    Json,
}

/// Arguments of `credence inject`.
#[derive(Debug, Args)]
#[command(after_help = INJECT_EXPLAINED)]
pub struct InjectArgs {
    /// File to read, YAML or JSON; "-" is the standard input. May be repeated.
    #[arg(
        short = 'f',
        long = "filename",
        value_name = "FILE",
        default_value = "-"
    )]
    pub files: Vec<PathBuf>,
    /// The sidecar's image: that of the operator, or its pods get no bundle.
    #[arg(long, value_name = "IMAGE")]
    pub image: String,
    /// File with the certificates that sidecars trust the feed by, in PEM.
    #[arg(long, value_name = "FILE")]
    pub feed_ca: PathBuf,
    /// Where sidecars find the feed: host and port.
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = "credence-feed.credence-system.svc:8444"
    )]
    pub feed: String,
    /// HTTP proxy that sidecars leave the network through, without credentials:
    /// http://HOST:PORT. What the chart has as sidecar.httpsProxy.
    #[arg(long, value_name = "URL")]
    pub https_proxy: Option<String>,
    /// Hosts that sidecars reach without that proxy, as in NO_PROXY. What the
    /// chart has as sidecar.noProxy.
    #[arg(long, value_name = "HOSTS", requires = "https_proxy")]
    pub no_proxy: Option<String>,
    /// The environment of the namespace that the pods are for. Which credentials
    /// they get is decided by the namespace they are in.
    #[arg(long, value_name = "ENVIRONMENT", default_value = "development")]
    pub environment: Environment,
    /// Names of collections, separated by commas, for pods without an annotation
    /// credence.dev/collections: the only ones they may use, and for each a
    /// variable NAME_BASE_URL.
    #[arg(long, value_name = "NAMES")]
    pub collections: Option<String>,
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

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "write an address and a port, such as 127.0.0.1:2733".to_owned())
}

/// A host as it stands in `Host`, without a port.
fn host(text: &str) -> Result<String, String> {
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text);
    if let Ok(address) = bare.parse::<Ipv6Addr>() {
        return Ok(format!("[{address}]"));
    }
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    if text.is_empty() || !text.bytes().all(allowed) {
        return Err(
            "write a host name or an IP address, without scheme, port or wildcard".to_owned(),
        );
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn addresses_have_a_port() {
        for good in ["127.0.0.1:2733", "127.1.2.3:0", "[::1]:2733", "0.0.0.0:80"] {
            assert!(address(good).is_ok(), "{good}");
        }
        for bad in ["2733", "localhost:2733", "127.0.0.1", ""] {
            assert!(
                address(bad).unwrap_err().starts_with("write an address"),
                "{bad}"
            );
        }
    }

    #[test]
    fn hosts_are_names_or_addresses_and_nothing_else() {
        for (given, meant) in [
            ("credence", "credence"),
            ("api.example.com", "api.example.com"),
            ("192.168.1.2", "192.168.1.2"),
            ("fd00::1", "[fd00::1]"),
            ("[fd00::0:1]", "[fd00::1]"),
        ] {
            assert_eq!(host(given).unwrap(), meant);
        }
        for bad in ["", "*", "a:80", "http://a", "a/b", "a b", "*.example.com"] {
            assert!(host(bad).is_err(), "{bad}");
        }
    }
}
