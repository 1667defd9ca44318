//! Asks the cluster for everything that is judged later.

use std::collections::{BTreeMap, BTreeSet};

use credence_core::collection::Collection;
use credence_core::names::{INJECT, INJECTED, OPERATOR_ADMIN_PORT};
use credence_core::resolve::needs;
use credence_crds::{ApiCollection, cluster_definition, definition};
use futures::stream::{self, StreamExt as _};
use jiff::Timestamp;
use k8s_openapi::api::authorization::v1::ResourceAttributes;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{Api, ResourceExt as _};
use serde_json::json;

use super::cluster::{Cluster, Look};
use super::facts::{DryRun, DryRunOutcome, Facts, Installation, Places, Source};
use super::grants::Grants;
use super::judge::{environment, is_exempt, opts_in};
use super::rights;

/// The operator's Deployment, ServiceAccount and Lease.
const OPERATOR: &str = "credence-operator";
/// The configuration that calls the injector.
const INJECTOR: &str = "credence-injector";
/// The label of everything that the chart makes.
const PART_OF: &str = "app.kubernetes.io/part-of=credence";
/// The label of the operator's pods.
const REPLICAS: &str = "app.kubernetes.io/name=credence-operator";
/// Questions at one time.
const AT_ONCE: usize = 8;
/// The metric of the serving certificate's end.
const EXPIRY: &str = "credence_certificate_expiry_timestamp_seconds";

pub(super) async fn facts(cluster: &Cluster, url: String, places: Places) -> Facts {
    let version = cluster.version().await;
    let installation = match version.seen() {
        Some(_) => Some(installation(cluster, &places).await),
        None => None,
    };
    Facts {
        now: Timestamp::now(),
        places,
        url,
        version,
        installation,
    }
}

async fn installation(cluster: &Cluster, places: &Places) -> Installation {
    let client = cluster.client();
    let system = places.operator.as_str();
    let (namespaces, collections, cluster_collections) = futures::join!(
        namespaces(cluster, places),
        cluster.list(of_places::<ApiCollection>(cluster, places), ""),
        async {
            match &places.only {
                Some(_) => Look::Absent,
                None => cluster.list(Api::all(client.clone()), "").await,
            }
        },
    );
    let known = namespaces.seen().map(Vec::as_slice).unwrap_or_default();
    let needed = rights::needed(system);
    let (definitions, deployment, lease, lacking, webhook, dry_run) = futures::join!(
        definitions(cluster),
        cluster.get(Api::namespaced(client.clone(), system), OPERATOR),
        cluster.get(Api::namespaced(client.clone(), system), OPERATOR),
        lacking(cluster, system, &needed),
        cluster.get(Api::all(client.clone()), INJECTOR),
        dry_run(cluster, places, known),
    );
    let (certificates, policies, policy_bindings, grants, sources, unmarked, marked) = futures::join!(
        certificates(cluster, system),
        cluster.list(Api::all(client.clone()), PART_OF),
        cluster.list(Api::all(client.clone()), PART_OF),
        grants(cluster),
        sources(cluster, system, known, collections.seen()),
        unmarked(cluster, places, known),
        cluster.list(of_places::<Pod>(cluster, places), INJECTED),
    );
    Installation {
        definitions,
        deployment,
        lease,
        lacking,
        rights: needed.len(),
        webhook,
        dry_run,
        certificates,
        policies,
        policy_bindings,
        grants,
        namespaces,
        collections,
        cluster_collections,
        sources,
        unmarked,
        marked,
    }
}

/// Objects of the one namespace that is looked at, or of all.
fn of_places<K>(cluster: &Cluster, places: &Places) -> Api<K>
where
    K: kube::Resource<Scope = kube::core::NamespaceResourceScope>,
    K::DynamicType: Default,
{
    match &places.only {
        Some(namespace) => Api::namespaced(cluster.client(), namespace),
        None => Api::all(cluster.client()),
    }
}

async fn namespaces(cluster: &Cluster, places: &Places) -> Look<Vec<Namespace>> {
    let api = Api::all(cluster.client());
    match &places.only {
        Some(name) => cluster
            .get(api, name)
            .await
            .map(|namespace| vec![namespace]),
        None => cluster.list(api, "").await,
    }
}

async fn definitions(
    cluster: &Cluster,
) -> Vec<(CustomResourceDefinition, Look<CustomResourceDefinition>)> {
    let known = stream::iter([definition(), cluster_definition()]);
    let found = known.then(async |definition| {
        let api = Api::all(cluster.client());
        let found = cluster.get(api, &definition.name_any()).await;
        (definition, found)
    });
    found.collect().await
}

/// Those of the rights that the operator has not.
async fn lacking(
    cluster: &Cluster,
    system: &str,
    needed: &[ResourceAttributes],
) -> Look<Vec<ResourceAttributes>> {
    let answers = stream::iter(needed).map(async |right| {
        let may = cluster.may((system, OPERATOR), right.clone()).await;
        may.map(|may| (!may).then(|| right.clone()))
    });
    let answers: Vec<_> = answers.buffered(AT_ONCE).collect().await;
    together(answers).map(|lacking| lacking.into_iter().flatten().collect())
}

/// All of them, or why one of them is not known.
fn together<T>(looks: impl IntoIterator<Item = Look<T>>) -> Look<Vec<T>> {
    let mut all = Vec::new();
    for look in looks {
        match look {
            Look::Seen(seen) => all.push(seen),
            Look::Absent => return Look::Absent,
            Look::Unknown(why) => return Look::Unknown(why),
        }
    }
    Look::Seen(all)
}

/// A pod that asks for a sidecar and fits into any namespace: it is restricted
/// and says what it needs.
async fn dry_run(cluster: &Cluster, places: &Places, known: &[Namespace]) -> DryRun {
    let mut opted_in = known
        .iter()
        .filter(|namespace| opts_in(namespace) && !is_exempt(&namespace.name_any(), places))
        .map(kube::ResourceExt::name_any);
    let namespace = places.only.clone().or_else(|| opted_in.next());
    let namespace = namespace.unwrap_or_else(|| "default".to_owned());
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": "credence-check-", "labels": {INJECT: "true"}},
        "spec": {
            "automountServiceAccountToken": false,
            "securityContext": {"runAsNonRoot": true, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": "app",
                "image": "credence-check",
                "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"cpu": "100m", "memory": "16Mi"}},
                "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
            }],
        },
    });
    let outcome = match serde_json::from_value::<Pod>(pod) {
        Ok(pod) => {
            let api = Api::namespaced(cluster.client(), &namespace);
            match cluster.dry_run(&api, &pod).await {
                Ok(made) => DryRunOutcome::Made(Box::new(made)),
                Err((Some(500) | None, why)) => DryRunOutcome::Broken(why),
                Err((Some(_), why)) => DryRunOutcome::Refused(why),
            }
        }
        Err(error) => DryRunOutcome::Refused(error.to_string()),
    };
    DryRun { namespace, outcome }
}

async fn certificates(cluster: &Cluster, system: &str) -> Look<Vec<(String, Look<i64>)>> {
    let api: Api<Pod> = Api::namespaced(cluster.client(), system);
    let replicas = match cluster.list(api, REPLICAS).await {
        Look::Seen(replicas) => replicas,
        other => return other.map(|_| Vec::new()),
    };
    let running = replicas.into_iter().filter(|pod| {
        let phase = pod
            .status
            .as_ref()
            .and_then(|status| status.phase.as_deref());
        phase == Some("Running") && pod.metadata.deletion_timestamp.is_none()
    });
    let ends = stream::iter(running).then(async |pod| {
        let name = pod.name_any();
        let path =
            format!("/api/v1/namespaces/{system}/pods/{name}:{OPERATOR_ADMIN_PORT}/proxy/metrics");
        let end = match cluster.text(&path).await {
            Look::Seen(metrics) => match expiry(&metrics) {
                Some(end) => Look::Seen(end),
                None => Look::Absent,
            },
            other => other.map(|_| 0),
        };
        (name, end)
    });
    Look::Seen(ends.collect().await)
}

/// The earliest end that an exposition tells.
fn expiry(metrics: &str) -> Option<i64> {
    let samples = metrics.lines().filter_map(|line| {
        let value = line.strip_prefix(EXPIRY)?.rsplit(' ').next()?;
        // Prometheus writes every number as a float.
        #[expect(clippy::cast_possible_truncation, reason = "seconds since 1970")]
        value.parse::<f64>().ok().map(|seconds| seconds as i64)
    });
    samples.min()
}

async fn grants(cluster: &Cluster) -> Look<Grants> {
    let client = cluster.client();
    let (roles, cluster_roles, bindings, cluster_bindings) = futures::join!(
        cluster.list(Api::all(client.clone()), ""),
        cluster.list(Api::all(client.clone()), ""),
        cluster.list(Api::all(client.clone()), ""),
        cluster.list(Api::all(client), ""),
    );
    match (roles, cluster_roles, bindings, cluster_bindings) {
        (
            Look::Seen(roles),
            Look::Seen(cluster_roles),
            Look::Seen(bindings),
            Look::Seen(cluster_bindings),
        ) => Look::Seen(Grants {
            roles,
            cluster_roles,
            bindings,
            cluster_bindings,
        }),
        (Look::Unknown(why), ..)
        | (_, Look::Unknown(why), ..)
        | (_, _, Look::Unknown(why), _)
        | (.., Look::Unknown(why)) => Look::Unknown(why),
        _ => Look::Absent,
    }
}

/// What collections refer to in the environment of their namespace, and
/// whether the operator may read it.
async fn sources(
    cluster: &Cluster,
    system: &str,
    namespaces: &[Namespace],
    collections: Option<&Vec<ApiCollection>>,
) -> Vec<Source> {
    let mut wanted: BTreeMap<(String, &'static str), BTreeSet<String>> = BTreeMap::new();
    for object in collections.into_iter().flatten() {
        let namespace = object.namespace().unwrap_or_default();
        let home = namespaces
            .iter()
            .find(|found| found.name_any() == namespace);
        let Some((home, collection)) = home.zip(Collection::try_from(object).ok()) else {
            continue;
        };
        let needs = needs(&collection, environment(home));
        for (resource, names) in [
            ("secrets", needs.secrets),
            ("configmaps", needs.config_maps),
        ] {
            if !names.is_empty() {
                let source = wanted.entry((namespace.clone(), resource)).or_default();
                source.insert(format!("apicollection/{}", object.name_any()));
            }
        }
    }
    let sources = stream::iter(wanted).map(async |((namespace, resource), collections)| {
        // As the role that the chart binds has them.
        let verbs = stream::iter(["get", "list", "watch"]).then(|verb| {
            let what = ResourceAttributes {
                namespace: Some(namespace.clone()),
                resource: Some(resource.to_owned()),
                verb: Some(verb.to_owned()),
                ..ResourceAttributes::default()
            };
            cluster.may((system, OPERATOR), what)
        });
        let readable = together(verbs.collect::<Vec<_>>().await);
        Source {
            readable: readable.map(|all| all.into_iter().all(|may| may)),
            namespace,
            resource,
            collections,
        }
    });
    sources.buffered(AT_ONCE).collect().await
}

/// Pods that ask for a sidecar, themselves or by their namespace, and do not
/// say that they were given one.
async fn unmarked(cluster: &Cluster, places: &Places, known: &[Namespace]) -> Look<Vec<Pod>> {
    let by_themselves = format!("{INJECT}=true,!{INJECTED}");
    let themselves = cluster.list(of_places::<Pod>(cluster, places), &by_themselves);
    let by_namespace = format!("{INJECT}!=false,!{INJECTED}");
    let namespaces = known.iter().filter(|namespace| opts_in(namespace));
    let namespaces = stream::iter(namespaces).map(|namespace| {
        let api: Api<Pod> = Api::namespaced(cluster.client(), &namespace.name_any());
        cluster.list(api, &by_namespace)
    });
    let (themselves, mut found) =
        futures::join!(themselves, namespaces.buffered(AT_ONCE).collect::<Vec<_>>());
    found.push(themselves);
    together(found).map(|pods| {
        let mut pods: Vec<Pod> = pods.into_iter().flatten().collect();
        pods.sort_by_key(|pod| (pod.namespace(), pod.name_any()));
        pods.dedup_by_key(|pod| pod.uid());
        pods
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_certificate_that_ends_first_counts() {
        let metrics = format!(
            "# HELP {EXPIRY} End.\n# TYPE {EXPIRY} gauge\n{EXPIRY} 1800000000\n{EXPIRY}{{root=\"a\"}} 1.7e9\nother 5\n"
        );
        assert_eq!(expiry(&metrics), Some(1_700_000_000));
        assert_eq!(expiry("other 5\n"), None);
    }
}
