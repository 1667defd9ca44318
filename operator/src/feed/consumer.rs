//! Whether the pod that asks may be given anything.

use std::collections::BTreeSet;

use credence_core::{CollectionName, Environment};

use super::identity::Identity;
use super::refusal::Refusal;
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
    let image = pod.sidecar_image.as_deref().ok_or(Refusal::NoSidecar)?;
    // Pods keep the image they were created with, so after an upgrade of the
    // operator theirs is an earlier version of ours.
    if repository(image) != repository(sidecar_image) {
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

/// An image without its tag and digest.
fn repository(image: &str) -> &str {
    let image = image.split_once('@').map_or(image, |(image, _)| image);
    match image.rsplit_once(':') {
        // A colon before a slash is a registry's port.
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => image,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMAGE: &str = "registry.test:5000/credence-sidecar:0.2.0";

    fn identity() -> Identity {
        Identity {
            namespace: "shop".to_owned(),
            service_account: "checkout".to_owned(),
            pod: "web-0".to_owned(),
            pod_uid: "u".to_owned(),
            credential_id: None,
        }
    }

    fn pod() -> InjectedPod {
        InjectedPod {
            uid: "u".to_owned(),
            service_account: "checkout".to_owned(),
            sidecar_image: Some(IMAGE.to_owned()),
            injected: true,
            token_elsewhere: false,
            host_network: false,
            finished: false,
            shares_processes: false,
            lowered: false,
            collections: None,
            root: None,
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
            sidecar_image: Some(image.to_owned()),
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
                    sidecar_image: None,
                    ..pod()
                },
                Refusal::NoSidecar,
            ),
            (image("registry.test:5000/app:0.2.0"), Refusal::OtherImage),
            (image("credence-sidecar:0.2.0"), Refusal::OtherImage),
            (image(""), Refusal::OtherImage),
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
    fn another_version_of_the_sidecar_is_still_ours() {
        for image in [
            "registry.test:5000/credence-sidecar:0.1.0",
            "registry.test:5000/credence-sidecar",
            "registry.test:5000/credence-sidecar:0.1.0@sha256:00",
        ] {
            let pod = InjectedPod {
                sidecar_image: Some(image.to_owned()),
                ..pod()
            };
            assert!(admitted(&pod, Environment::Live).is_ok(), "{image}");
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
}
