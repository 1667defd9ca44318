//! A collection whose token is exchanged for one of the cluster.

use crate::command::{Running, output, text};
use crate::folder::Folder;

const COLLECTION: &str = "apiVersion: credence.dev/v1alpha1
kind: ApiCollection
metadata: {name: storage}
spec:
  baseUrl: https://api.example.com/v1
  auth:
    tokenExchange:
      serviceAccountToken: {name: reporter, audience: https://sts.example.com}
      token: {url: https://sts.example.com/token}
";

#[test]
fn what_a_cluster_must_issue_is_told_at_once_where_there_is_none() {
    let folder = Folder::empty().with("storage.yaml", COLLECTION);
    let running = Running::serve(folder.path(), &[]);
    running.wait_for("there is no cluster here");
}

#[test]
fn what_a_cluster_must_issue_is_no_problem_of_a_manifest() {
    let folder = Folder::empty().with("storage.yaml", COLLECTION);
    let linted = output(folder.path(), &["lint", "storage.yaml"]);
    assert_eq!(text(&linted.stdout), "");
    assert_eq!(linted.status.code(), Some(0));
}
