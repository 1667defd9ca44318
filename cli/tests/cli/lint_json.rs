//! `credence lint --output json`, for programs.

use serde_json::{Value, json};

use crate::command::{assert_silent, output, text};
use crate::folder::Folder;

const COLLECTION: &str = r#"apiVersion: credence.dev/v1alpha1
kind: ApiCollection
metadata: {name: chat}
spec:
  baseUrl: https://api.example.com/v1
  auth:
    apiKey: {in: Header, name: Authorization, value: "Bearer ${secret.api-key}"}
  live:
    secretRef: {name: chat-live}
  development:
    secretRef: {name: chat-dev}
"#;

fn lint(folder: &Folder) -> (Value, i32) {
    let ended = output(folder.path(), &["lint", "shop", "-o", "json"]);
    assert_eq!(text(&ended.stderr), "");
    let printed = text(&ended.stdout);
    assert_silent(&printed, &["dev_7a20c1", "live_55bd0e"]);
    let report = serde_json::from_str(&printed).unwrap();
    (report, ended.status.code().unwrap())
}

#[test]
fn problems_are_listed_with_place_field_severity_and_message() {
    let folder = Folder::empty()
        .with("shop/chat.yaml", COLLECTION)
        .with(
            "shop/dev.yaml",
            "apiVersion: v1\nkind: Secret\nmetadata: {name: chat-dev}\nstringData: {apikey: dev_7a20c1}\n",
        )
        .with("shop/other.yaml", "apiVersion: v1\nkind: Service\n");
    let (report, status) = lint(&folder);
    assert_eq!(status, 1);
    assert_eq!(
        report,
        json!({
            "files": 3,
            "collections": 1,
            "errors": 1,
            "warnings": 1,
            "ignored": {"Service": 1},
            "problems": [
                {
                    "file": "shop/chat.yaml", "line": 7, "column": 54,
                    "field": "spec.auth.apiKey.value", "severity": "error",
                    "message": "Secret \"chat-dev\" has no key \"api-key\" (it has: apikey). \
                        Rename the key or change spec.auth.apiKey.value.",
                },
                {
                    "file": "shop/chat.yaml", "line": 9, "column": 23,
                    "field": "spec.live.secretRef.name", "severity": "warning",
                    "message": "Secret \"chat-live\" is not in these files: calls fail until it exists",
                },
            ],
        })
    );
}

#[test]
fn warnings_alone_and_nothing_at_all_are_success() {
    let folder = Folder::empty().with("shop/chat.yaml", COLLECTION);
    let (report, status) = lint(&folder);
    assert_eq!((report["errors"].as_u64(), status), (Some(0), 0));
    assert_eq!(report["warnings"], 2);
    let folder = Folder::empty().with("shop/empty.yaml", "# nothing\n");
    let (report, status) = lint(&folder);
    assert_eq!((&report["problems"], status), (&json!([]), 0));
}

#[test]
fn a_text_that_cannot_be_read_has_a_place_and_no_field() {
    let folder = Folder::empty().with(
        "shop/secret.yaml",
        "kind: Secret\nstringData: {a: live_55bd0e\n",
    );
    let (report, status) = lint(&folder);
    let problem = &report["problems"][0];
    assert_eq!(
        (problem["line"].as_u64(), &problem["field"]),
        (Some(2), &json!(""))
    );
    assert_eq!((&problem["severity"], status), (&json!("error"), 1));
}
