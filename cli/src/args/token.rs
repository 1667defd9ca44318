//! Arguments of `credence token`.

use std::path::PathBuf;

use clap::Args;
use credence_core::{CollectionName, Environment};

use super::{ClusterArgs, Output};

/// The end of `credence token --help`.
const EXPLAINED: &str = "\
The token itself is never shown. Without --filename the collection is looked for on
a cluster, whose operator writes into its status what it knows.

With --output json one object is printed:
  collection, ready (whether every token is there), message (the text below the
             tokens, if there is one)
  tokens     a list of objects with environment, obtainedAt, expiresAt,
             nextRefreshAt, lastAttemptAt (RFC 3339), scope, failures, error
             (both of RFC 6749); what is not known is left out

Exit status:
  0  there is a token
  1  there is none, or the manifests have errors
  2  the command line is wrong
  3  a file could not be read, or a cluster not be asked";

/// Arguments of `credence token`.
#[derive(Debug, Args)]
#[command(after_help = EXPLAINED)]
pub struct TokenArgs {
    /// The collection.
    #[arg(value_name = "COLLECTION")]
    pub collection: CollectionName,
    /// File or folder that `credence run` serves: what it keeps of the token is
    /// shown. May be repeated.
    #[arg(short = 'f', long = "filename", value_name = "PATH")]
    pub files: Vec<PathBuf>,
    /// The namespace of the collection.
    #[arg(short, long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// With --filename: live or development, as with `credence run`.
    #[arg(long, value_name = "ENVIRONMENT", requires = "files")]
    pub environment: Option<Environment>,
    /// With --filename: take Secrets from variables, as with `credence run`.
    #[arg(long, requires = "files")]
    pub env_secrets: bool,
    /// The cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// The form of what is printed.
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    pub output: Output,
}
