//! Whether the pod that asks may be given anything.

use std::collections::BTreeSet;

use credence_core::{CollectionName, Environment};

use super::identity::Identity;
use super::refusal::Refusal;
use crate::certificates::Authorities;
use crate::inject::named_collections;
use crate::watches::pods::InjectedPod;

/// A pod that may be given a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumer {
    /// Its namespace.
    pub namespace: String,
    /// The ServiceAccount that it runs as.
    pub service_account: String,
    /// Of its namespace, lowered if the pod asks for that.
    pub environment: Environment,
    /// The collections that it wants; absent means all that it may use.
    pub collections: Option<BTreeSet<CollectionName>>,
}

/// Decides by the pod as it is now, in a namespace of this environment.
///
/// # Errors
/// The reason why it gets nothing.
pub fn admit(
    identity: &Identity,
    pod: &InjectedPod,
    environment: Environment,
    sidecar_image: &str,
) -> Result<Consumer, Refusal> {
    if pod.uid != identity.pod_uid {
        return Err(Refusal::OtherPod);
    }
    if pod.service_account != identity.service_account {
        return Err(Refusal::OtherServiceAccount);
    }
    let sidecar = pod.sidecar.as_ref().ok_or(Refusal::NoSidecar)?;
    if !sidecar.has_image_of(sidecar_image) {
        return Err(Refusal::OtherImage);
    }
    // Nobody would be told what becomes of it.
    if !pod.injected {
        return Err(Refusal::NotInjected);
    }
    if pod.finished {
        return Err(Refusal::Finished);
    }
    if pod.token_elsewhere {
        return Err(Refusal::TokenElsewhere);
    }
    if pod.host_network {
        return Err(Refusal::HostNetwork);
    }
    let environment = if pod.lowered {
        Environment::Development
    } else {
        environment
    };
    if pod.shares_processes && environment == Environment::Live {
        return Err(Refusal::SharesProcesses);
    }
    let collections = pod
        .collections
        .as_deref()
        .map(named_collections)
        .transpose();
    Ok(Consumer {
        namespace: identity.namespace.clone(),
        service_account: pod.service_account.clone(),
        environment,
        collections: collections.map_err(|_| Refusal::BadAnnotation)?,
    })
}

/// Whether the pod's sidecar shows its token to the feed at this address alone,
/// and believes nobody whose key we do not hold.
///
/// Asked when a stream begins and not later: variables of a pod never change,
/// and when an authority is lost its pods are to keep what they have.
///
/// # Errors
/// [`Refusal::OtherFeed`].
pub fn check_feed(
    pod: &InjectedPod,
    address: &str,
    authorities: &Authorities,
) -> Result<(), Refusal> {
    let held = |root: &str| authorities.all().any(|held| held.root == root);
    let sidecar = pod.sidecar.as_ref();
    match sidecar.is_some_and(|sidecar| sidecar.dials(address, held)) {
        true => Ok(()),
        false => Err(Refusal::OtherFeed),
    }
}

#[cfg(test)]
mod tests {
    use credence_core::names;
    use jiff::Timestamp;

    use super::*;
    use crate::certificates::held::Held;
    use crate::certificates::rotation::{Step, advance};
    use crate::inject::FoundSidecar;
    use crate::watches::pods::PodView;

    const IMAGE: &str = "registry.test:5000/credence-sidecar:0.2.0";
    const FEED: &str = "credence-feed.credence-system.svc:8444";

    fn identity() -> Identity {
        Identity {
            namespace: "shop".to_owned(),
            service_account: "checkout".to_owned(),
            pod: "web-0".to_owned(),
            pod_uid: "u".to_owned(),
            credential_id: None,
        }
    }

    fn sidecar(image: &str) -> FoundSidecar {
        let image = image.to_owned();
        FoundSidecar { image, feed: None }
    }

    fn pod() -> InjectedPod {
        InjectedPod {
            uid: "u".to_owned(),
            service_account: "checkout".to_owned(),
            sidecar: Some(sidecar(IMAGE)),
            injected: true,
            token_elsewhere: false,
            host_network: false,
            finished: false,
            shares_processes: false,
            lowered: false,
            collections: None,
            template: None,
        }
    }

    fn admitted(pod: &InjectedPod, environment: Environment) -> Result<Consumer, Refusal> {
        admit(&identity(), pod, environment, IMAGE)
    }

    #[test]
    fn a_pod_gets_the_environment_of_its_namespace() {
        for environment in [Environment::Live, Environment::Development] {
            assert_eq!(
                admitted(&pod(), environment).unwrap().environment,
                environment
            );
        }
    }

    #[test]
    fn a_pod_may_lower_itself_and_never_raise() {
        let lowered = InjectedPod {
            lowered: true,
            ..pod()
        };
        for environment in [Environment::Live, Environment::Development] {
            let consumer = admitted(&lowered, environment).unwrap();
            assert_eq!(consumer.environment, Environment::Development);
        }
    }

    #[test]
    fn a_pod_that_is_not_the_tokens_gets_nothing() {
        let image = |image: &str| InjectedPod {
            sidecar: Some(sidecar(image)),
            ..pod()
        };
        let cases = [
            (
                InjectedPod {
                    uid: "v".to_owned(),
                    ..pod()
                },
                Refusal::OtherPod,
            ),
            (
                InjectedPod {
                    service_account: "default".to_owned(),
                    ..pod()
                },
                Refusal::OtherServiceAccount,
            ),
            (
                InjectedPod {
                    sidecar: None,
                    ..pod()
                },
                Refusal::NoSidecar,
            ),
            (image("registry.test:5000/app:0.2.0"), Refusal::OtherImage),
            (
                InjectedPod {
                    injected: false,
                    ..pod()
                },
                Refusal::NotInjected,
            ),
            (
                InjectedPod {
                    finished: true,
                    ..pod()
                },
                Refusal::Finished,
            ),
            (
                InjectedPod {
                    shares_processes: true,
                    ..pod()
                },
                Refusal::SharesProcesses,
            ),
            (
                InjectedPod {
                    token_elsewhere: true,
                    ..pod()
                },
                Refusal::TokenElsewhere,
            ),
            (
                InjectedPod {
                    host_network: true,
                    ..pod()
                },
                Refusal::HostNetwork,
            ),
            (
                InjectedPod {
                    collections: Some("a,,b".to_owned()),
                    ..pod()
                },
                Refusal::BadAnnotation,
            ),
        ];
        for (pod, refusal) in cases {
            assert_eq!(admitted(&pod, Environment::Live), Err(refusal), "{pod:?}");
        }
    }

    #[test]
    fn shared_memory_is_allowed_where_nothing_is_live() {
        let shared = InjectedPod {
            shares_processes: true,
            ..pod()
        };
        assert!(admitted(&shared, Environment::Development).is_ok());
        let lowered = InjectedPod {
            lowered: true,
            ..shared
        };
        assert!(admitted(&lowered, Environment::Live).is_ok());
    }

    /// A pod whose sidecar is told of this feed and these authorities.
    fn dialling(feed: &str, authorities: &[&Held]) -> InjectedPod {
        let ca: String = authorities
            .iter()
            .map(|held| held.authority.pem.as_str())
            .collect();
        let pod = serde_json::json!({"metadata": {}, "spec": {"initContainers": [{
            "name": names::CONTAINER, "image": IMAGE, "restartPolicy": "Always",
            "env": [
                {"name": names::FEED_VARIABLE, "value": feed},
                {"name": names::FEED_CA_VARIABLE, "value": ca},
                {"name": names::TOKEN_VARIABLE, "value": "/var/run/secrets/credence.dev/token"},
            ],
        }]}});
        serde_json::from_value::<PodView>(pod).unwrap().into()
    }

    fn authorities() -> Authorities {
        let now = Timestamp::UNIX_EPOCH;
        let steps = [
            Step::Create,
            Step::Begin("once"),
            Step::Promote,
            Step::Begin("twice"),
        ];
        steps.iter().fold(Authorities::default(), |before, step| {
            advance(&before, step, &["feed".to_owned()], now).unwrap()
        })
    }

    #[test]
    fn a_sidecar_that_trusts_any_authority_of_ours_shows_its_token_to_us() {
        let held = authorities();
        let (current, next) = (held.current.as_ref(), held.next.as_ref());
        let (current, next, retired) = (current.unwrap(), next.unwrap(), &held.retired[0].held);
        for trusted in [
            &[current][..],
            &[next],
            &[retired],
            &[current, next],
            &[retired, current],
        ] {
            let pod = dialling(FEED, trusted);
            assert_eq!(check_feed(&pod, FEED, &held), Ok(()));
        }
    }

    #[test]
    fn a_sidecar_that_would_show_its_token_to_others_gets_nothing() {
        let held = authorities();
        let current = held.current.as_ref().unwrap();
        let stranger = authorities().current.unwrap();
        for pod in [
            dialling("theirs.test:8444", &[current]),
            dialling(FEED, &[&stranger]),
            dialling(FEED, &[current, &stranger]),
            dialling(FEED, &[]),
            pod(),
        ] {
            let refused = check_feed(&pod, FEED, &held);
            assert_eq!(refused, Err(Refusal::OtherFeed), "{pod:?}");
        }
        let nothing = Authorities::default();
        let ours = dialling(FEED, &[current]);
        assert!(check_feed(&ours, FEED, &nothing).is_err());
    }
}
