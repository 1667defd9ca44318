//! What a namespace demands of every container's resources: its LimitRanges
//! and ResourceQuotas, as far as a container that is added can run into them.
//!
//! They are watched, not asked for, so that pods are admitted without a call.
//! A demand that is seen too late costs one refused pod, which its controller
//! creates again.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{LimitRange, LimitRangeItem, ResourceQuota};
use k8s_openapi::apimachinery::pkg::api::resource;

use super::quantity::Quantity;

/// Of one namespace, or of one object in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Of the CPU.
    pub cpu: Bound,
    /// Of memory.
    pub memory: Bound,
}

/// Of one resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bound {
    /// A request may not be less.
    pub min: Option<Quantity>,
    /// A limit may not be more.
    pub max: Option<Quantity>,
    /// The limit of a container that states none.
    pub default_limit: Option<Quantity>,
    /// A limit may not be more than so many times the request.
    pub ratio: Option<Quantity>,
    /// A pod whose containers do not all have a limit is refused.
    pub limit_required: bool,
}

impl Bounds {
    /// Both at once.
    #[must_use]
    pub fn and(self, other: &Self) -> Self {
        Self {
            cpu: self.cpu.and(&other.cpu),
            memory: self.memory.and(&other.memory),
        }
    }
}

impl Bound {
    fn and(self, other: &Self) -> Self {
        let least = |a: Option<Quantity>, b: &Option<Quantity>| match (a, b.clone()) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        Self {
            // None is less than any.
            min: self.min.max(other.min.clone()),
            max: least(self.max, &other.max),
            default_limit: least(self.default_limit, &other.default_limit),
            ratio: least(self.ratio, &other.ratio),
            limit_required: self.limit_required || other.limit_required,
        }
    }
}

type Amounts = Option<BTreeMap<String, resource::Quantity>>;

fn amount(amounts: &Amounts, resource: &str) -> Option<Quantity> {
    // The API server accepts nothing that is no amount.
    amounts.as_ref()?.get(resource)?.0.parse().ok()
}

impl From<LimitRange> for Bounds {
    fn from(range: LimitRange) -> Self {
        let items = range.spec.map(|spec| spec.limits).unwrap_or_default();
        // What is said of whole pods cannot be met by what one container asks.
        items
            .iter()
            .filter(|item| item.type_ == "Container")
            .fold(Self::default(), |bounds, item| bounds.and(&of_item(item)))
    }
}

fn of_item(item: &LimitRangeItem) -> Bounds {
    let bound = |resource| Bound {
        min: amount(&item.min, resource),
        max: amount(&item.max, resource),
        default_limit: amount(&item.default, resource),
        ratio: amount(&item.max_limit_request_ratio, resource),
        limit_required: false,
    };
    Bounds {
        cpu: bound("cpu"),
        memory: bound("memory"),
    }
}

impl From<ResourceQuota> for Bounds {
    /// Whether the quota's scope selects the pod is not looked at: a limit that
    /// nobody asked for only costs some speed.
    fn from(quota: ResourceQuota) -> Self {
        let hard = quota.spec.and_then(|spec| spec.hard).unwrap_or_default();
        let bound = |resource| Bound {
            limit_required: hard.contains_key(resource),
            ..Bound::default()
        };
        Self {
            cpu: bound("limits.cpu"),
            memory: bound("limits.memory"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    fn quantity(text: &str) -> Option<Quantity> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn a_limit_range_bounds_containers_and_nothing_else() {
        let range: LimitRange = from_value(json!({"spec": {"limits": [
            {"type": "Pod", "max": {"cpu": "1m"}},
            {"type": "Container", "min": {"cpu": "50m"}, "max": {"memory": "1Gi"}},
            {
                "type": "Container",
                "min": {"cpu": "20m", "memory": "32Mi"},
                "default": {"cpu": "500m"},
                "maxLimitRequestRatio": {"memory": "2"},
            },
        ]}}))
        .unwrap();
        let expected = Bounds {
            cpu: Bound {
                min: quantity("50m"),
                default_limit: quantity("500m"),
                ..Bound::default()
            },
            memory: Bound {
                min: quantity("32Mi"),
                max: quantity("1Gi"),
                ratio: quantity("2"),
                ..Bound::default()
            },
        };
        assert_eq!(Bounds::from(range), expected);
        assert_eq!(Bounds::from(LimitRange::default()), Bounds::default());
    }

    #[test]
    fn a_quota_on_limits_needs_every_container_to_have_one() {
        let quota = |hard| Bounds::from(from_value::<ResourceQuota>(hard).unwrap());
        let limits = quota(json!({"spec": {"hard": {"limits.cpu": "4", "pods": "10"}}}));
        assert!(limits.cpu.limit_required);
        assert!(!limits.memory.limit_required);
        let requests = quota(json!({"spec": {"hard": {"requests.cpu": "4", "cpu": "4"}}}));
        assert_eq!(requests, Bounds::default());
    }

    #[test]
    fn of_two_demands_the_stricter_counts() {
        let one = Bound {
            min: quantity("10m"),
            max: quantity("1"),
            ..Bound::default()
        };
        let other = Bound {
            min: quantity("20m"),
            max: quantity("2"),
            limit_required: true,
            ..Bound::default()
        };
        let both = one.clone().and(&other);
        assert_eq!(both, other.and(&one));
        assert_eq!((both.min, both.max), (quantity("20m"), quantity("1")));
        assert!(both.limit_required);
    }
}
