//! Arguments of `credence call`.

use clap::Args;
use credence_core::CollectionName;
use http::Method;
use http::uri::Authority;

use super::ClusterArgs;

/// The end of `credence call --help`.
const EXPLAINED: &str = "\
The call is made as an app makes it, without any credential, and what comes back is
printed as it is. What the proxy answers itself has a header Credence-Error (-i
shows it), and says in its body what to do.

Exit status:
  0  answered, with a status below 400
  1  answered, with another status
  2  the command line is wrong
  3  no answer, or a file could not be read";

/// Arguments of `credence call`.
#[derive(Debug, Args)]
#[command(after_help = EXPLAINED)]
pub struct CallArgs {
    /// The collection.
    #[arg(value_name = "COLLECTION")]
    pub collection: CollectionName,
    /// What is called, below the collection's base URL, perhaps with a query.
    #[arg(value_name = "PATH", default_value = "/")]
    pub path: String,
    /// The method: GET unless given, and POST with --data.
    #[arg(short = 'X', long, value_name = "METHOD")]
    pub request: Option<Method>,
    /// A header field, such as "Accept: text/plain". May be repeated.
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    pub headers: Vec<String>,
    /// The body, or @FILE for what is in a file (@- is the standard input). Its
    /// type is application/x-www-form-urlencoded unless a header says otherwise.
    #[arg(short, long, value_name = "DATA")]
    pub data: Option<String>,
    /// Print the status and the header fields, too.
    #[arg(short, long)]
    pub include: bool,
    /// Where `credence run` listens: host and port.
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = "localhost:2733",
        conflicts_with_all = ["namespace", "pod"]
    )]
    pub proxy: Authority,
    /// Call through a pod of this namespace on a cluster: through its sidecar,
    /// with the credentials of that pod.
    #[arg(short, long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// The pod; without it the first one that runs with a sidecar.
    #[arg(long, value_name = "NAME")]
    pub pod: Option<String>,
    /// The cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}
