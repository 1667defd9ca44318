//! What the sidecar asks of its node, and may use of it.
//!
//! An amount comes from the first of these that says something: the pod's
//! annotation; the pod as a whole (`spec.resources`, which covers its
//! containers); the defaults, fitted into the namespace's [`Bounds`].

use serde_json::{Map, Value, json};

use super::bounds::{Bound, Bounds};
use super::pod::Pod;
use super::quantity::Quantity;
use super::wishes::{Amounts, Wishes};

/// What is asked of one resource where nothing else is said.
struct Standard {
    resource: &'static str,
    request: &'static str,
    limit: Option<&'static str>,
    /// Where there must be a limit though by default there is none, and for
    /// both where requests must equal limits.
    strict: &'static str,
}

const CPU: Standard = Standard {
    resource: "cpu",
    request: "10m",
    // Throttling would show up as latency of every call.
    limit: None,
    strict: "100m",
};

const MEMORY: Standard = Standard {
    resource: "memory",
    request: "16Mi",
    limit: Some("64Mi"),
    strict: "64Mi",
};

/// The sidecar's `resources`.
pub(super) fn resources(pod: &Pod<'_>, wishes: &Wishes<'_>, bounds: &Bounds) -> Value {
    let guaranteed = is_guaranteed(pod);
    let (mut requests, mut limits) = (Map::new(), Map::new());
    for (standard, wish, bound) in [
        (&CPU, &wishes.cpu, &bounds.cpu),
        (&MEMORY, &wishes.memory, &bounds.memory),
    ] {
        let unasked = wish.request.is_none() && wish.limit.is_none();
        // Its containers' requests may add up to no more than the pod's, so
        // ours must not come on top.
        if unasked && pod.states(standard.resource) {
            continue;
        }
        let amounts = standard.amounts(wish, guaranteed, bound);
        let put = |to: &mut Map<_, _>, amount: Option<Quantity>| {
            to.extend(amount.map(|a| (standard.resource.to_owned(), json!(a.to_string()))));
        };
        put(&mut requests, amounts.request);
        put(&mut limits, amounts.limit);
    }
    let mut resources = Map::new();
    for (name, amounts) in [("requests", requests), ("limits", limits)] {
        if !amounts.is_empty() {
            resources.insert(name.to_owned(), Value::Object(amounts));
        }
    }
    resources.into()
}

impl Standard {
    fn amounts(&self, wish: &Amounts, guaranteed: bool, bound: &Bound) -> Amounts {
        let quantity = |text: &str| text.parse::<Quantity>().ok();
        let fitted = |amount: Option<Quantity>| amount.map(|amount| fit(amount, bound));
        let (request, limit) = match (wish.request.clone(), wish.limit.clone()) {
            (None, None) if guaranteed => {
                let both = fitted(quantity(self.strict));
                (both.clone(), both)
            }
            (request, limit) if guaranteed => {
                (request.clone().or_else(|| limit.clone()), limit.or(request))
            }
            (request, limit) => {
                let default = match self.limit {
                    None if bound.limit_required => Some(self.strict),
                    default => default,
                };
                let limit = limit.or_else(|| {
                    // A request that is asked for moves the limit out of its way.
                    let default = fitted(default.and_then(quantity))?;
                    request.clone().max(Some(default))
                });
                // Also where the limit is the namespace's default.
                let counts = limit.as_ref().or(bound.default_limit.as_ref());
                let request = request.or_else(|| self.request_under(counts, bound));
                (request, limit)
            }
        };
        Amounts { request, limit }
    }

    /// The default request, fitted between the bounds and under the limit.
    fn request_under(&self, limit: Option<&Quantity>, bound: &Bound) -> Option<Quantity> {
        let mut request = fit(self.request.parse().ok()?, bound);
        if let Some(limit) = limit {
            if let Some(ratio) = &bound.ratio {
                request = request.max(limit.divided_by(ratio));
            }
            request = request.min(limit.clone());
        }
        Some(request)
    }
}

fn fit(amount: Quantity, bound: &Bound) -> Quantity {
    let amount = match &bound.min {
        Some(min) => amount.max(min.clone()),
        None => amount,
    };
    match &bound.max {
        Some(max) => amount.min(max.clone()),
        None => amount,
    }
}

/// Whether every container has requests equal to limits, for both resources:
/// then so must the sidecar, or the pod would lose its quality of service and
/// with it pinned CPUs. An absent request equals its limit.
fn is_guaranteed(pod: &Pod<'_>) -> bool {
    pod.all_containers().all(|container| {
        let resources = container.resources.as_ref();
        let amount = |of: Option<&super::pod::Amounts<'_>>, resource| {
            let text = of?.get(resource)?.as_str()?;
            text.parse::<Quantity>().ok()
        };
        ["cpu", "memory"].into_iter().all(|resource| {
            let limit = amount(resources.and_then(|r| r.limits.as_ref()), resource);
            let request = amount(resources.and_then(|r| r.requests.as_ref()), resource);
            limit.is_some() && (request.is_none() || request == limit)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(annotations: &Value, resources: &Value, bounds: &Bounds) -> Value {
        let pod = json!({
            "metadata": {"annotations": annotations},
            "spec": {"containers": [{"name": "app", "resources": resources}]},
        });
        let pod = Pod::of(&pod).unwrap();
        super::resources(&pod, &Wishes::of(&pod).unwrap(), bounds)
    }

    fn fitted(cpu: Bound, memory: Bound) -> Value {
        decided(&json!({}), &json!({}), &Bounds { cpu, memory })
    }

    fn quantity(text: &str) -> Option<Quantity> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn by_default_memory_is_limited_and_the_cpu_is_not() {
        assert_eq!(
            fitted(Bound::default(), Bound::default()),
            json!({
                "requests": {"cpu": "10m", "memory": "16Mi"},
                "limits": {"memory": "64Mi"},
            })
        );
    }

    #[test]
    fn annotations_say_what_is_written() {
        let all = json!({
            "credence.dev/cpu-request": "50m", "credence.dev/cpu-limit": "1",
            "credence.dev/memory-request": "32Mi", "credence.dev/memory-limit": "0.5Gi",
        });
        // Even against the namespace's bounds: the API server explains those.
        let tight = Bound {
            max: quantity("1m"),
            ..Bound::default()
        };
        let bounds = Bounds {
            cpu: tight.clone(),
            memory: tight,
        };
        assert_eq!(
            decided(&all, &json!({}), &bounds),
            json!({
                "requests": {"cpu": "50m", "memory": "32Mi"},
                "limits": {"cpu": "1", "memory": "0.5Gi"},
            })
        );
    }

    #[test]
    fn what_is_not_said_gives_way_to_what_is() {
        let none = Bounds::default();
        let much = json!({"credence.dev/memory-request": "128Mi"});
        assert_eq!(
            decided(&much, &json!({}), &none)["limits"]["memory"],
            "128Mi"
        );
        let little = json!({"credence.dev/cpu-limit": "5m"});
        assert_eq!(decided(&little, &json!({}), &none)["requests"]["cpu"], "5m");
    }

    #[test]
    fn a_guaranteed_pod_stays_guaranteed() {
        let equal = json!({
            "requests": {"cpu": "1", "memory": "1Gi"},
            "limits": {"cpu": "1000m", "memory": "1024Mi"},
        });
        let both = |cpu: &str, memory: &str| {
            let amounts = json!({"cpu": cpu, "memory": memory});
            json!({"requests": amounts, "limits": amounts})
        };
        let none = Bounds::default();
        assert_eq!(decided(&json!({}), &equal, &none), both("100m", "64Mi"));
        let half = json!({"credence.dev/cpu-request": "200m", "credence.dev/memory-limit": "1Gi"});
        assert_eq!(decided(&half, &equal, &none), both("200m", "1Gi"));
        let bounds = Bounds {
            cpu: Bound {
                max: quantity("50m"),
                ..Bound::default()
            },
            memory: Bound {
                min: quantity("128Mi"),
                ..Bound::default()
            },
        };
        assert_eq!(decided(&json!({}), &equal, &bounds), both("50m", "128Mi"));
    }

    #[test]
    fn a_quota_on_limits_gets_one() {
        let required = Bound {
            limit_required: true,
            ..Bound::default()
        };
        let resources = fitted(required.clone(), required);
        assert_eq!(
            resources["limits"],
            json!({"cpu": "100m", "memory": "64Mi"})
        );
        assert_eq!(resources["requests"]["cpu"], "10m");
    }

    #[test]
    fn defaults_keep_within_a_limit_range() {
        let min = |text| Bound {
            min: quantity(text),
            ..Bound::default()
        };
        let resources = fitted(min("50m"), min("100Mi"));
        assert_eq!(
            resources,
            json!({
                "requests": {"cpu": "50m", "memory": "100Mi"},
                "limits": {"memory": "100Mi"},
            })
        );
        let max = |text| Bound {
            max: quantity(text),
            default_limit: quantity(text),
            ..Bound::default()
        };
        let resources = fitted(max("5m"), max("32Mi"));
        assert_eq!(
            resources,
            json!({
                "requests": {"cpu": "5m", "memory": "16Mi"},
                "limits": {"memory": "32Mi"},
            })
        );
    }

    #[test]
    fn a_ratio_of_limits_to_requests_is_kept_also_for_a_limit_that_comes_later() {
        let ratio = |default_limit| Bound {
            ratio: quantity("2"),
            default_limit,
            ..Bound::default()
        };
        let resources = fitted(ratio(quantity("500m")), ratio(None));
        assert_eq!(resources["requests"]["cpu"], "250m");
        assert_eq!(resources["requests"]["memory"], (32 << 20).to_string());
    }

    #[test]
    fn a_pod_that_states_a_resource_as_a_whole_is_not_asked_for_more() {
        let decided = |pod_level: Value, annotations: Value| {
            let pod = json!({
                "metadata": {"annotations": annotations},
                "spec": {"containers": [{"name": "app"}], "resources": pod_level},
            });
            let pod = Pod::of(&pod).unwrap();
            resources(&pod, &Wishes::of(&pod).unwrap(), &Bounds::default())
        };
        let cpu = json!({"limits": {"cpu": "1"}});
        let memory_only = json!({"requests": {"memory": "16Mi"}, "limits": {"memory": "64Mi"}});
        assert_eq!(decided(cpu.clone(), json!({})), memory_only);
        let both = json!({"requests": {"cpu": "1", "memory": "1Gi"}});
        assert_eq!(decided(both, json!({})), json!({}));
        let asked = decided(cpu, json!({"credence.dev/cpu-request": "20m"}));
        assert_eq!(asked["requests"]["cpu"], "20m");
    }
}
