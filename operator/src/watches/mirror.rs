//! A map that is kept equal to what a watch shows.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use kube::ResourceExt;
use kube::runtime::watcher::Event;

/// Namespace (empty for cluster-wide kinds) and name.
pub type Key = (String, String);

/// What is kept of each object.
#[derive(Debug)]
pub struct Mirror<V> {
    objects: RwLock<HashMap<Key, Arc<V>>>,
}

/// One object is not what it was.
#[derive(Debug, PartialEq, Eq)]
pub struct Change<V> {
    /// Which object.
    pub key: Key,
    /// Absent for a new one.
    pub before: Option<Arc<V>>,
    /// Absent for a deleted one.
    pub after: Option<Arc<V>>,
}

/// Collects a listing, which replaces the map when it is complete.
pub type Listing<V> = HashMap<Key, Arc<V>>;

impl<V> Default for Mirror<V> {
    fn default() -> Self {
        Self {
            objects: RwLock::default(),
        }
    }
}

impl<V: PartialEq> Mirror<V> {
    /// The object, if the watch has shown it.
    pub fn get(&self, key: &Key) -> Option<Arc<V>> {
        self.objects
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(key)
            .cloned()
    }

    /// Every object of a namespace.
    pub fn of_namespace(&self, namespace: &str) -> Vec<Arc<V>> {
        let objects = self.objects.read().unwrap_or_else(PoisonError::into_inner);
        let objects = objects.iter().filter(|(key, _)| key.0 == namespace);
        objects.map(|(_, value)| value.clone()).collect()
    }

    /// All objects that fulfil the predicate.
    pub fn any(&self, predicate: impl Fn(&Key, &V) -> bool) -> bool {
        self.objects
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .any(|(key, value)| predicate(key, value))
    }

    /// Shows all objects.
    pub fn each(&self, mut show: impl FnMut(&V)) {
        let objects = self.objects.read().unwrap_or_else(PoisonError::into_inner);
        objects.values().for_each(|value| show(value));
    }

    /// Follows an event and says what it changed. A listing changes the map
    /// only when it is complete, and then removes what it did not show.
    pub fn apply<K>(&self, event: Event<K>, listing: &mut Listing<V>) -> Vec<Change<V>>
    where
        K: ResourceExt + Into<V>,
    {
        match event {
            Event::Init => {
                listing.clear();
                Vec::new()
            }
            Event::InitApply(object) => {
                listing.insert(key_of(&object), Arc::new(object.into()));
                Vec::new()
            }
            Event::InitDone => self.replace(std::mem::take(listing)),
            Event::Apply(object) => {
                let key = key_of(&object);
                let after = Some(Arc::new(object.into()));
                self.set(key, after).into_iter().collect()
            }
            Event::Delete(object) => self.set(key_of(&object), None).into_iter().collect(),
        }
    }

    /// Forgets everything.
    pub fn clear(&self) -> Vec<Change<V>> {
        self.replace(Listing::default())
    }

    fn set(&self, key: Key, after: Option<Arc<V>>) -> Option<Change<V>> {
        let mut objects = self.objects.write().unwrap_or_else(PoisonError::into_inner);
        let before = match &after {
            Some(value) => objects.insert(key.clone(), value.clone()),
            None => objects.remove(&key),
        };
        drop(objects);
        (before != after).then_some(Change { key, before, after })
    }

    fn replace(&self, listing: Listing<V>) -> Vec<Change<V>> {
        let mut objects = self.objects.write().unwrap_or_else(PoisonError::into_inner);
        let mut old = std::mem::replace(&mut *objects, listing);
        let mut changes: Vec<Change<V>> = objects
            .iter()
            .map(|(key, after)| Change {
                key: key.clone(),
                before: old.remove(key),
                after: Some(after.clone()),
            })
            .filter(|change| change.before != change.after)
            .collect();
        drop(objects);
        changes.extend(old.into_iter().map(|(key, before)| Change {
            key,
            before: Some(before),
            after: None,
        }));
        changes
    }
}

fn key_of(object: &impl ResourceExt) -> Key {
    (object.namespace().unwrap_or_default(), object.name_any())
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::api::ObjectMeta;

    #[derive(Debug, PartialEq, Eq)]
    struct Version(String);

    impl From<ConfigMap> for Version {
        fn from(object: ConfigMap) -> Self {
            Self(object.resource_version().unwrap_or_default())
        }
    }

    fn object(name: &str, version: &str) -> ConfigMap {
        ConfigMap {
            metadata: ObjectMeta {
                namespace: Some("shop".to_owned()),
                name: Some(name.to_owned()),
                resource_version: Some(version.to_owned()),
                ..ObjectMeta::default()
            },
            ..ConfigMap::default()
        }
    }

    /// Name, version before, version after.
    type Seen = (String, Option<String>, Option<String>);

    fn follow(mirror: &Mirror<Version>, events: Vec<Event<ConfigMap>>) -> Vec<Seen> {
        let mut listing = Listing::default();
        let version = |value: Option<Arc<Version>>| value.map(|version| version.0.clone());
        let mut seen: Vec<Seen> = events
            .into_iter()
            .flat_map(|event| mirror.apply(event, &mut listing))
            .map(|change| (change.key.1, version(change.before), version(change.after)))
            .collect();
        seen.sort();
        seen
    }

    fn seen(name: &str, before: Option<&str>, after: Option<&str>) -> Seen {
        (
            name.to_owned(),
            before.map(str::to_owned),
            after.map(str::to_owned),
        )
    }

    #[test]
    fn a_listing_counts_when_it_is_complete() {
        let mirror = Mirror::default();
        let begun = vec![Event::Init, Event::InitApply(object("a", "1"))];
        assert_eq!(follow(&mirror, begun), []);
        let complete = vec![
            Event::Init,
            Event::InitApply(object("a", "1")),
            Event::InitDone,
        ];
        assert_eq!(follow(&mirror, complete), [seen("a", None, Some("1"))]);
    }

    #[test]
    fn what_a_later_listing_lacks_was_deleted() {
        let mirror = Mirror::default();
        follow(
            &mirror,
            vec![
                Event::Apply(object("a", "1")),
                Event::Apply(object("b", "2")),
            ],
        );
        let relisted = vec![
            Event::Init,
            Event::InitApply(object("b", "3")),
            Event::InitApply(object("c", "4")),
            Event::InitDone,
        ];
        assert_eq!(
            follow(&mirror, relisted),
            [
                seen("a", Some("1"), None),
                seen("b", Some("2"), Some("3")),
                seen("c", None, Some("4")),
            ]
        );
        assert!(mirror.get(&("shop".to_owned(), "a".to_owned())).is_none());
    }

    #[test]
    fn an_event_that_changes_nothing_is_no_change() {
        let mirror = Mirror::default();
        let events = vec![
            Event::Apply(object("a", "1")),
            Event::Apply(object("a", "1")),
            Event::Delete(object("b", "1")),
            Event::Delete(object("a", "1")),
        ];
        assert_eq!(
            follow(&mirror, events),
            [seen("a", None, Some("1")), seen("a", Some("1"), None)]
        );
    }
}
