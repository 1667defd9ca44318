//! What an operator reports.

use std::time::Duration;

use anyhow::Context as _;
use credence_core::Environment;
use credence_crds::condition::{READY, TOKEN_READY};
use credence_crds::{ApiCollection, ApiCollectionStatus, ClusterApiCollection, EnvironmentName};
use kube::{Api, Client};

use super::report::{Report, Told};
use crate::args::TokenArgs;
use crate::kubeconfig;

/// For one answer of the API server.
const PATIENCE: Duration = Duration::from_secs(15);

/// Of the collection of the namespace, or of the cluster where the namespace has
/// none of that name.
///
/// # Errors
/// When the cluster cannot be asked; inside, when it has nothing to say.
pub(super) async fn report(args: &TokenArgs) -> anyhow::Result<Result<Report, String>> {
    let config = kubeconfig::config(&args.cluster)
        .await
        .context("no cluster is configured (with --filename what `credence run` keeps is shown)")?;
    let namespace = args.namespace.as_ref();
    let namespace = namespace.unwrap_or(&config.default_namespace).clone();
    let client = Client::try_from(config).context("the cluster cannot be addressed")?;
    let name = args.collection.as_str();
    let own: Api<ApiCollection> = Api::namespaced(client.clone(), &namespace);
    if let Some(found) = in_time(own.get_opt(name)).await? {
        return Ok(of(name, found.status.as_ref()));
    }
    let all: Api<ClusterApiCollection> = Api::all(client);
    Ok(match in_time(all.get_opt(name)).await? {
        Some(found) => of(name, found.status.as_ref()),
        None => Err(format!(
            "there is no ApiCollection \"{name}\" in namespace {namespace}, and no \
             ClusterApiCollection of that name"
        )),
    })
}

async fn in_time<T>(asked: impl Future<Output = kube::Result<T>>) -> anyhow::Result<T> {
    let answered = tokio::time::timeout(PATIENCE, asked).await;
    answered
        .context("the API server does not answer")?
        .context("the API server says no")
}

fn of(name: &str, status: Option<&ApiCollectionStatus>) -> Result<Report, String> {
    let status = status.ok_or_else(|| {
        format!("{name} has no status: no operator has seen it (`credence check` says why)")
    })?;
    let condition = |kind: &str| {
        let mut conditions = status.conditions.iter();
        conditions.find(|condition| condition.type_ == kind)
    };
    let told = condition(TOKEN_READY).or_else(|| condition(READY));
    let report = Report {
        collection: name.to_owned(),
        ready: told.is_some_and(|told| told.status == "True"),
        message: told.map(|told| told.message.clone()),
        tokens: (status.environments.iter())
            .filter_map(|environment| {
                Some(Told {
                    environment: match environment.name {
                        EnvironmentName::Live => Environment::Live,
                        EnvironmentName::Development => Environment::Development,
                    }
                    .to_string(),
                    token: environment.token.clone()?,
                })
            })
            .collect(),
    };
    match report.tokens.is_empty() {
        true => Err(format!("{name} needs no token")),
        false => Ok(report),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    #[test]
    fn a_status_is_told_with_its_condition() {
        let status: ApiCollectionStatus = from_value(json!({
            "environments": [
                {"name": "Live", "ready": true, "token": {"expiresAt": "2026-01-01T00:00:00Z", "failures": 0}},
                {"name": "Development", "ready": true},
            ],
            "conditions": [{
                "type": "TokenReady", "status": "True", "reason": "Obtained",
                "message": "The token holds.", "lastTransitionTime": "2026-01-01T00:00:00Z",
            }],
        }))
        .unwrap();
        let report = of("crm", Some(&status)).unwrap();
        assert!(report.ready);
        assert_eq!(report.message.as_deref(), Some("The token holds."));
        assert_eq!(report.tokens.len(), 1);
        assert_eq!(report.tokens[0].environment, "live");
        assert!(of("crm", None).is_err());
        assert!(of("crm", Some(&ApiCollectionStatus::default())).is_err());
    }
}
