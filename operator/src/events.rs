//! Kubernetes Events: what changed, for whoever describes the object.
//!
//! They are told and not waited for. A cluster that takes none, or not so many,
//! changes nothing about what is done: the conditions and the log hold it too.

mod recent;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::PostParams;
use kube::core::Status;
use kube::{Api, Client};
use tokio::sync::{mpsc, watch};
use tracing::{debug, warn};

use crate::random;
use recent::Recent;

/// Who reports, as `kubectl describe` shows it in the column "From".
const CONTROLLER: &str = "credence-operator";
/// Events that wait to be written; more are left out.
const WAITING: usize = 256;
/// An API server that takes longer is not going to answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The API server's limit for a note, in bytes.
const LONGEST_NOTE: usize = 1024;
/// Where the API server wants the Events about objects without a namespace.
const CLUSTER_NAMESPACE: &str = "default";

/// Something that happened to an object.
#[derive(Clone, Debug, PartialEq)]
pub struct Happening {
    /// The object. One without a namespace is one of the cluster.
    pub regarding: ObjectReference,
    /// Whether somebody should look.
    pub severity: Severity,
    /// What happened, in CamelCase, from a closed list.
    pub reason: Cow<'static, str>,
    /// What we were doing, in CamelCase, from a closed list.
    pub action: &'static str,
    /// The same for people. Never holds a value.
    pub note: String,
}

/// Whether somebody should look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// All is as it should be.
    Normal,
    /// It is not.
    Warning,
}

impl Severity {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
}

/// Takes what happens. Clones take for the same writer.
#[derive(Clone, Debug)]
pub struct Events(mpsc::Sender<Happening>);

/// Writes it.
pub struct Writer {
    client: Client,
    /// Name of this replica's pod.
    instance: Arc<str>,
    happenings: mpsc::Receiver<Happening>,
}

/// Both ends.
pub fn channel(client: Client, instance: &str) -> (Events, Writer) {
    let (sender, happenings) = mpsc::channel(WAITING);
    let writer = Writer {
        client,
        instance: instance.into(),
        happenings,
    };
    (Events(sender), writer)
}

impl Events {
    /// Has it written, soon and if possible. Never waits.
    pub fn tell(&self, happening: Happening) {
        if let Err(error) = self.0.try_send(happening) {
            let reason = error.into_inner().reason;
            debug!(%reason, "an Event is left out: too many wait");
        }
    }
}

/// Tells on the replica that leads, of what all replicas see.
#[derive(Clone, Debug)]
pub struct Announcer {
    /// Where to tell.
    pub events: Events,
    /// Whether this replica leads.
    pub leader: watch::Receiver<bool>,
}

impl Announcer {
    /// The same as [`Events::tell`], on one replica.
    pub fn tell(&self, happening: Happening) {
        if *self.leader.borrow() {
            self.events.tell(happening);
        }
    }
}

impl Writer {
    /// Writes one after another, until nobody is left to tell.
    pub async fn run(mut self) {
        let mut recent = Recent::default();
        while let Some(happening) = self.happenings.recv().await {
            if recent.is_news(&happening, Instant::now()) {
                self.write(&happening).await;
            }
        }
    }

    async fn write(&self, happening: &Happening) {
        let event = event(happening, &self.instance, Timestamp::now(), &random::name());
        let namespace = event.metadata.namespace.as_deref();
        let api: Api<Event> =
            Api::namespaced(self.client.clone(), namespace.unwrap_or(CLUSTER_NAMESPACE));
        let (params, reason) = (PostParams::default(), &happening.reason);
        match tokio::time::timeout(TIMEOUT, api.create(&params, &event)).await {
            Ok(Ok(_)) => {}
            Ok(Err(kube::Error::Api(status))) if status.is_not_found() || is_ending(&status) => {
                debug!(
                    namespace,
                    %reason, "an Event is left out: its namespace is gone"
                );
            }
            Ok(Err(error)) => warn!(namespace, %reason, %error, "cannot write an Event"),
            Err(_) => warn!(namespace, %reason, "cannot write an Event in time"),
        }
    }
}

/// Whether nothing is created because the namespace is being deleted.
fn is_ending(status: &Status) -> bool {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    causes
        .into_iter()
        .any(|cause| cause.reason == "NamespaceTerminating")
}

fn event(happening: &Happening, instance: &str, now: Timestamp, unique: &str) -> Event {
    let regarding = &happening.regarding;
    let name = regarding.name.as_deref().unwrap_or(CONTROLLER);
    let namespace = regarding.namespace.as_deref().unwrap_or(CLUSTER_NAMESPACE);
    Event {
        metadata: ObjectMeta {
            namespace: Some(namespace.to_owned()),
            // Names are at most 253 bytes long, and so may be the object's.
            name: Some(format!(
                "{}.{unique}",
                cut(name, 200).trim_end_matches(['.', '-'])
            )),
            ..ObjectMeta::default()
        },
        event_time: Some(MicroTime(now)),
        regarding: Some(regarding.clone()),
        reporting_controller: Some(CONTROLLER.to_owned()),
        reporting_instance: Some(cut(instance, 128).to_owned()),
        type_: Some(happening.severity.as_str().to_owned()),
        reason: Some(happening.reason.clone().into_owned()),
        action: Some(happening.action.to_owned()),
        note: Some(cut(&happening.note, LONGEST_NOTE).to_owned()),
        ..Event::default()
    }
}

fn cut(text: &str, longest: usize) -> &str {
    text.get(..text.floor_char_boundary(longest))
        .unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn happening(regarding: ObjectReference) -> Happening {
        Happening {
            regarding,
            severity: Severity::Warning,
            reason: "SecretNotFound".into(),
            action: "Resolve",
            note: "ä".repeat(LONGEST_NOTE),
        }
    }

    fn written(regarding: ObjectReference) -> Event {
        event(
            &happening(regarding),
            "operator-0",
            Timestamp::UNIX_EPOCH,
            "a1",
        )
    }

    #[test]
    fn an_event_is_where_its_object_is() {
        let event = written(ObjectReference {
            name: Some("openai".to_owned()),
            namespace: Some("shop".to_owned()),
            ..ObjectReference::default()
        });
        assert_eq!(event.metadata.namespace.as_deref(), Some("shop"));
        assert_eq!(event.metadata.name.as_deref(), Some("openai.a1"));
        assert_eq!(event.reporting_instance.as_deref(), Some("operator-0"));
        let event = written(ObjectReference {
            name: Some(format!("{}.{}", "x".repeat(199), "y".repeat(53))),
            ..ObjectReference::default()
        });
        assert_eq!(event.metadata.namespace.as_deref(), Some("default"));
        let name = event.metadata.name.unwrap();
        assert_eq!(name, format!("{}.a1", "x".repeat(199)));
    }

    #[test]
    fn a_long_note_is_cut_between_characters() {
        let note = written(ObjectReference::default()).note.unwrap();
        assert_eq!(note.len(), LONGEST_NOTE);
        assert!(note.chars().all(|c| c == 'ä'));
    }
}
