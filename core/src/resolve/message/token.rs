//! About token requests.

use super::super::Case;
use super::super::placing::Source;
use super::{Unresolved, unresolved};
use crate::reason::Reason;
use crate::token::InvalidEndpoint;

pub(in super::super) fn token_url(source: &Source<'_>, error: InvalidEndpoint) -> Unresolved {
    let field = &source.field;
    let rendered = if source.template.as_literal().is_some() {
        ""
    } else {
        ", with its variables filled in,"
    };
    let message = format!("{field}{rendered} {error}.");
    unresolved(Reason::TokenUrlInvalid, field, message)
}

pub(in super::super) fn token_url_without_tls(source: &Source<'_>) -> Unresolved {
    let field = &source.field;
    let message = format!(
        "{field} begins with http://, where no client certificate can be shown. \
         Write https:// or remove mtls."
    );
    unresolved(Reason::TokenUrlInsecure, field, message)
}

pub(in super::super) fn no_cluster() -> Unresolved {
    let field = "spec.auth.tokenExchange.serviceAccountToken";
    let message = format!(
        "{field} is a token that a cluster issues to its operator, and there is no cluster here. \
         Call this collection from a pod, or give the token that is exchanged as subjectToken."
    );
    unresolved(Reason::ClusterMissing, field, message)
}

impl Case<'_> {
    pub(in super::super) fn insecure_token_url(&self, source: &Source<'_>) -> Unresolved {
        let field = &source.field;
        let block = self.selected.field();
        unresolved(
            Reason::TokenUrlInsecure,
            field,
            format!(
                "{field} begins with http://, so that everybody on the way could read the credential. \
                 Write https:// or set {block}.allowInsecureHttp to true."
            ),
        )
    }

    /// A ClusterApiCollection has one namespace for the ServiceAccounts of both.
    pub(in super::super) fn account_of_other_environment(&self) -> Unresolved {
        let environment = self.environment;
        let field = self.selected.field();
        let message = format!(
            "spec.auth.tokenExchange.serviceAccountToken names one ServiceAccount for live and development, and \
             the collection says nothing about {environment}. Add {field}, if it is meant for that, too."
        );
        unresolved(Reason::EnvironmentMissing, field, message)
    }

    pub(in super::super) fn colon_in_client_id(&self, id: &Source<'_>) -> Unresolved {
        let (reason, subject) = self.blame(id);
        let field = &id.field;
        unresolved(
            reason,
            field,
            format!(
                "{subject} holds a colon, which ends the identifier in HTTP Basic (RFC 7617). \
                 Write client.authentication: Basic, which escapes it, or change {field}."
            ),
        )
    }
}
