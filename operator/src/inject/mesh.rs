//! Service meshes that redirect a pod's traffic into a proxy of their own.

use super::pod::Container;

const PROXIES: [&str; 2] = ["istio-proxy", "linkerd-proxy"];
const SET_UP: [&str; 4] = [
    "istio-init",
    "istio-validation",
    "linkerd-init",
    "linkerd-network-validator",
];

/// Whether a mesh brought this container.
pub(super) fn owns(container: &Container<'_>) -> bool {
    PROXIES.contains(&container.name) || SET_UP.contains(&container.name)
}

/// Where among the init containers the sidecar goes: first, so that every
/// other one can make calls already; but after a mesh's proxy that runs among
/// them and after what sets it up. Between the redirection and the proxy
/// nothing gets through: the sidecar would wait for the feed, and the proxy
/// for the sidecar.
///
/// A mesh proxy among the ordinary containers starts last of all. Then first
/// is right too: the feed is reached before the redirection is set up.
pub(super) fn position(init_containers: &[Container<'_>]) -> usize {
    let among_them = init_containers.iter().any(|c| PROXIES.contains(&c.name));
    let last = init_containers.iter().rposition(owns);
    last.filter(|_| among_them).map_or(0, |last| last + 1)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::{Value, json};

    use super::*;

    fn position_among(names: &[&str]) -> usize {
        let values: Vec<Value> = names.iter().map(|name| json!({"name": name})).collect();
        let containers: Vec<_> = values
            .iter()
            .map(|value| Container::deserialize(value).unwrap())
            .collect();
        position(&containers)
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
}
