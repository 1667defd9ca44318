//! Service meshes that redirect a pod's traffic into a proxy of their own.

use super::pod::{Container, Pod};

const PROXIES: [&str; 2] = ["istio-proxy", "linkerd-proxy"];
const SET_UP: [&str; 2] = ["istio-init", "linkerd-init"];
/// These look whether the network plug-in has set up the redirection, before
/// any container of the pod ran.
const VALIDATORS: [&str; 2] = ["istio-validation", "linkerd-network-validator"];

/// Whether a mesh brought this container.
pub(super) fn owns(container: &Container<'_>) -> bool {
    [&PROXIES, &SET_UP, &VALIDATORS]
        .into_iter()
        .any(|names| names.contains(&container.name))
}

fn is_proxy(container: &Container<'_>) -> bool {
    PROXIES.contains(&container.name)
}

/// Where among the other init containers the sidecar goes: first, so that
/// every other one can make calls already; but after a mesh's proxy that runs
/// among them and after what sets it up. Between the redirection and the proxy
/// nothing gets through: the sidecar would wait for the feed, and the proxy
/// for the sidecar.
///
/// Before both is right too: then the feed is reached first, and what is
/// redirected are new connections only. So it is with a mesh that is not known
/// here, and with a proxy among the ordinary containers, which start last.
pub(super) fn position(others: &[&Container<'_>]) -> usize {
    let among_them = others.iter().any(|container| is_proxy(container));
    let last = others.iter().rposition(|container| owns(container));
    last.filter(|_| among_them).map_or(0, |last| last + 1)
}

/// Whether the network goes through a proxy that starts after every init
/// container: the network plug-in redirects from the beginning, and the proxy
/// is an ordinary container. A sidecar that was waited for would wait for ever.
pub(super) fn is_cut_off_at_first(pod: &Pod<'_>) -> bool {
    let init = pod.init_containers();
    init.iter().any(|c| VALIDATORS.contains(&c.name))
        && !init.iter().any(is_proxy)
        && pod.spec.containers.iter().any(is_proxy)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn list(names: &[&str]) -> Value {
        names.iter().map(|name| json!({"name": name})).collect()
    }

    fn pod(init: &[&str], containers: &[&str]) -> Value {
        let spec = json!({"initContainers": list(init), "containers": list(containers)});
        json!({"metadata": {}, "spec": spec})
    }

    fn position_among(names: &[&str]) -> usize {
        let pod = pod(names, &["app"]);
        let pod = Pod::of(&pod).unwrap();
        position(&pod.init_containers().iter().collect::<Vec<_>>())
    }

    #[test]
    fn without_a_mesh_the_sidecar_is_first() {
        assert_eq!(position_among(&[]), 0);
        assert_eq!(position_among(&["migrate", "warm-up"]), 0);
    }

    #[test]
    fn the_sidecar_follows_the_proxy_and_its_set_up() {
        assert_eq!(position_among(&["istio-init", "istio-proxy", "migrate"]), 2);
        assert_eq!(position_among(&["linkerd-init", "linkerd-proxy"]), 2);
        assert_eq!(
            position_among(&["linkerd-network-validator", "linkerd-proxy", "migrate"]),
            2
        );
        assert_eq!(position_among(&["istio-proxy", "istio-validation"]), 2);
    }

    #[test]
    fn with_the_proxy_among_the_ordinary_containers_the_sidecar_is_first() {
        assert_eq!(position_among(&["migrate", "istio-init"]), 0);
        assert_eq!(position_among(&["linkerd-init", "migrate"]), 0);
    }

    #[test]
    fn a_pod_is_cut_off_where_the_plug_in_redirects_to_a_proxy_that_starts_last() {
        let cut_off = |init: &[&str], containers: &[&str]| {
            let pod = pod(init, containers);
            is_cut_off_at_first(&Pod::of(&pod).unwrap())
        };
        assert!(cut_off(&["istio-validation"], &["app", "istio-proxy"]));
        let linkerd = ["app", "linkerd-proxy"];
        assert!(cut_off(&["linkerd-network-validator"], &linkerd));
        assert!(!cut_off(&["istio-validation", "istio-proxy"], &["app"]));
        assert!(!cut_off(&["istio-init"], &["app", "istio-proxy"]));
        assert!(!cut_off(&[], &["app"]));
    }
}
