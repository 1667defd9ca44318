//! Tokens of ServiceAccounts, which are exchanged for those of providers.

use credence_core::Secret;
use credence_core::token::AccountToken;

/// Issues tokens of ServiceAccounts. There are two: the API server of a cluster,
/// and none.
pub trait AccountTokens: Send + Sync + 'static {
    /// Issues a token, for one request. It is shown to a token endpoint: nothing
    /// but its own audience may accept it, the cluster least of all.
    ///
    /// # Errors
    /// [`NotIssued`].
    fn issue(&self, token: &AccountToken)
    -> impl Future<Output = Result<Secret, NotIssued>> + Send;
}

/// Where there is no cluster, and so nobody who issues such tokens.
#[derive(Clone, Copy, Debug)]
pub struct NoCluster;

impl AccountTokens for NoCluster {
    async fn issue(&self, _: &AccountToken) -> Result<Secret, NotIssued> {
        Err(NotIssued::NoCluster)
    }
}

/// Why there is no token, as the second half of a sentence that names it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotIssued {
    /// Nobody could issue one.
    #[error("there is no cluster here")]
    NoCluster,
    /// The operator has no right to it.
    #[error("the operator may not ask for it: name it in the chart's value serviceAccountTokens")]
    Forbidden,
    /// There is no such ServiceAccount.
    #[error("there is no such ServiceAccount: create it, or change serviceAccountToken.name")]
    Absent,
    /// The API server does not issue such a token.
    #[error(
        "the API server refuses it with status {0}: check serviceAccountToken.audience and \
         expirationSeconds"
    )]
    Refused(u16),
    /// The cluster would take it for a credential of its own.
    #[error(
        "the API server itself accepts tokens for that audience, so that nobody else may see one: \
         write the audience that the token endpoint demands into serviceAccountToken.audience"
    )]
    ForTheCluster,
    /// The API server could not be asked.
    #[error("the API server gave no answer")]
    NoAnswer,
}
