//! The client against an operator within the process.

pub(crate) mod operator;
pub(crate) mod pieces;

use std::collections::BTreeMap;
use std::path::Path;

use credence_core::Environment;
use credence_core::bundle::{Entry, Unavailable};
use credence_core::wire::Event;
use tempfile::NamedTempFile;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinSet;

use super::*;
use crate::standing::Board;
use operator::{Call, Operator};

/// A client that runs, and the revisions that it applied.
struct Client {
    applied: UnboundedReceiver<String>,
    trouble: watch::Receiver<Option<String>>,
    _task: JoinSet<()>,
}

impl Client {
    /// Trusts `root` and refuses every collection that is not ready.
    fn following(operator: &Operator, root: &str, token_file: &Path) -> Self {
        let feed = Feed::new(FeedSettings {
            address: operator.address.to_string(),
            roots: root.to_owned(),
            token_file: token_file.to_owned(),
        })
        .unwrap();
        let trouble = feed.trouble();
        let (report, applied) = unbounded_channel();
        let apply = move |update: Update| {
            let Update::Bundle(bundle) = update else {
                return BTreeMap::new();
            };
            report.send(bundle.revision).unwrap();
            let refused = bundle
                .collections
                .iter()
                .filter_map(|(name, entry)| match entry {
                    Entry::Unsupported(why) => Some((name.to_string(), why.clone())),
                    Entry::Ready(_) | Entry::Unavailable(_) => None,
                });
            refused.collect::<BTreeMap<_, _>>()
        };
        let mut task = JoinSet::new();
        let refusals = Board::default().reader();
        task.spawn(async move { match feed.follow(apply, refusals).await {} });
        Self {
            applied,
            trouble,
            _task: task,
        }
    }

    async fn applied(&mut self) -> String {
        self.applied.recv().await.unwrap()
    }

    /// Waits until what is wrong is said with this word.
    async fn trouble_about(&mut self, word: &str) -> String {
        let about =
            |trouble: &Option<String>| trouble.as_ref().is_some_and(|text| text.contains(word));
        self.trouble.wait_for(about).await.unwrap().clone().unwrap()
    }
}

pub(crate) fn file_with(token: &str) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), token).unwrap();
    file
}

pub(crate) fn hello(stream: &str) -> Event {
    Event::Hello {
        stream: stream.to_owned(),
        max_age_seconds: 2700,
    }
}

pub(crate) fn bundle(revision: &str) -> Event {
    Event::Bundle(Bundle {
        revision: revision.to_owned(),
        environment: Environment::Development,
        collections: BTreeMap::from([(
            "openai".parse().unwrap(),
            Entry::Unavailable(Unavailable::NotReady),
        )]),
        tokens: BTreeMap::new(),
    })
}

#[tokio::test]
async fn the_first_bundle_is_applied_and_acknowledged() {
    let mut operator = Operator::with_token("t1").await;
    let token = file_with("t1\n");
    let mut client = Client::following(&operator, &operator.root, token.path());
    assert!(client.trouble.borrow().is_some());
    let stream = operator.stream().await;
    stream.event(&hello("s1"));
    stream.event(&bundle("r1"));
    assert_eq!(client.applied().await, "r1");
    let ack = operator.ack().await;
    assert_eq!((ack.stream.as_str(), ack.revision.as_str()), ("s1", "r1"));
    assert!(ack.refused.is_empty());
    assert_eq!(*client.trouble.borrow(), None);
}

#[tokio::test]
async fn a_refused_collection_is_in_the_acknowledgement() {
    let mut operator = Operator::with_token("t1").await;
    let token = file_with("t1");
    let mut client = Client::following(&operator, &operator.root, token.path());
    let stream = operator.stream().await;
    stream.event(&hello("s1"));
    stream.bytes(b"{\"bundle\":{\"revision\":\"r1\",\"environment\":\"live\",\"collections\":[");
    stream.bytes(b"{\"name\":\"a\",\"requires\":[\"x\"]},{\"name\":\"b\",\"unavailable\":\"not-ready\"}]}}\n");
    assert_eq!(client.applied().await, "r1");
    let expected = BTreeMap::from([("a".to_owned(), "feature x".to_owned())]);
    assert_eq!(operator.ack().await.refused, expected);
}

#[tokio::test]
async fn a_stream_that_ends_is_opened_again_with_the_token_of_the_moment() {
    let mut operator = Operator::with_token("t1").await;
    let token = file_with("t1");
    let mut client = Client::following(&operator, &operator.root, token.path());
    let stream = operator.stream().await;
    stream.event(&hello("s1"));
    stream.event(&bundle("r1"));
    operator.ack().await;
    operator.change_token("t2");
    std::fs::write(token.path(), "t2").unwrap();
    drop(stream);
    let stream = operator.stream().await;
    stream.event(&hello("s2"));
    stream.event(&bundle("r2"));
    assert_eq!(operator.ack().await.stream, "s2");
    assert_eq!(client.applied().await, "r1");
    assert_eq!(client.applied().await, "r2");
}

#[tokio::test]
async fn a_refused_token_changes_nothing_until_it_is_good_again() {
    let mut operator = Operator::with_token("t1").await;
    let token = file_with("t1");
    let mut client = Client::following(&operator, &operator.root, token.path());
    let stream = operator.stream().await;
    stream.event(&hello("s1"));
    stream.event(&bundle("r1"));
    operator.ack().await;
    operator.change_token("t2");
    drop(stream);
    assert!(matches!(operator.call().await, Call::Refused));
    let why = client.trouble_about("401").await;
    assert!(!why.contains("t1"), "{why}");
    operator.change_token("t1");
    let stream = operator.stream().await;
    stream.event(&hello("s2"));
    stream.event(&bundle("r2"));
    operator.ack().await;
    assert_eq!(*client.trouble.borrow(), None);
    assert_eq!(client.applied().await, "r1");
    assert_eq!(client.applied().await, "r2");
}

#[tokio::test]
async fn garbage_ends_the_stream_and_not_the_bundle() {
    let mut operator = Operator::with_token("t1").await;
    let token = file_with("t1");
    let mut client = Client::following(&operator, &operator.root, token.path());
    let stream = operator.stream().await;
    stream.event(&hello("s1"));
    stream.event(&bundle("r1"));
    operator.ack().await;
    stream.bytes(b"<html>sk_live_1</html>\n");
    let why = client.trouble_about("line of the feed").await;
    assert!(!why.contains("sk_live_1"), "{why}");
    let stream = operator.stream().await;
    stream.event(&hello("s2"));
    stream.event(&bundle("r2"));
    assert_eq!(client.applied().await, "r1");
    assert_eq!(client.applied().await, "r2");
}

#[tokio::test]
async fn a_server_of_another_root_never_sees_the_token() {
    let mut operator = Operator::with_token("t1").await;
    let other = Operator::with_token("t1").await;
    let token = file_with("t1");
    let mut client = Client::following(&operator, &other.root, token.path());
    client.trouble_about("no TLS session").await;
    assert!(matches!(operator.call().await, Call::NoTls));
    assert!(client.applied.try_recv().is_err());
}

#[tokio::test]
async fn any_of_several_roots_is_good_when_the_first_is_asked_for() {
    let mut operator = Operator::with_token("t1").await;
    let other = Operator::with_token("t1").await;
    let token = file_with("t1");
    let roots = format!("{}{}", operator.root, other.root);
    let _client = Client::following(&operator, &roots, token.path());
    operator.stream().await;
}

#[tokio::test]
async fn a_file_without_a_token_is_named_and_nothing_is_sent() {
    let operator = Operator::with_token("").await;
    for content in ["", " \n", "two words", "\u{e9}"] {
        let token = file_with(content);
        let mut client = Client::following(&operator, &operator.root, token.path());
        let why = client.trouble_about("does not hold a token").await;
        assert!(why.contains(token.path().to_str().unwrap()), "{why}");
    }
    let mut client = Client::following(&operator, &operator.root, Path::new("/nowhere/token"));
    let why = client.trouble_about("cannot read the token").await;
    assert!(why.contains("/nowhere/token"), "{why}");
}
