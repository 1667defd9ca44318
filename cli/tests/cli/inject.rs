//! `credence inject`, from manifests to manifests.

use std::process::Output;

use crate::command::{output, output_of, text};
use crate::folder::Folder;

const SHOP: &str = r#"# a comment
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
      - name: app
        image: app:1
        env:
        - {name: SURE, value: "yes"}
        - {name: MODE, value: "0644"}
        - {name: SCRIPT, value: "a\n  b: #c\n"}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {ports: [{port: 80}]}
---
{"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "report"}, "spec": {"jobTemplate":
  {"spec": {"template": {"spec": {"containers": [{"name": "report", "image": "report:1"}]}}}}}}
---
apiVersion: v1
kind: Pod
metadata: {name: agent}
spec: {hostNetwork: true, containers: [{name: agent, image: agent:1}]}
"#;

fn certificate() -> String {
    let made = rcgen::generate_simple_self_signed(["feed".to_owned()]).unwrap();
    made.cert.pem()
}

fn folder(manifest: &str) -> Folder {
    Folder::empty()
        .with("shop.yaml", manifest)
        .with("ca.pem", &certificate())
}

const SETTINGS: [&str; 5] = ["inject", "--image", "sidecar:1", "--feed-ca", "ca.pem"];

fn inject(folder: &Folder, more: &[&str]) -> Output {
    let all = [&SETTINGS[..], more].concat();
    output(folder.path(), &all)
}

fn said(output: &Output) -> (Option<i32>, String, String) {
    let code = output.status.code();
    (code, text(&output.stdout), text(&output.stderr))
}

#[test]
fn pods_of_all_workloads_get_the_sidecar_and_the_rest_stays() {
    let folder = folder(SHOP);
    let (code, printed, told) = said(&inject(&folder, &["-f", "shop.yaml"]));
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(printed.matches("image: sidecar:1").count(), 2, "{printed}");
    let documents = printed.lines().filter(|line| *line == "---");
    assert_eq!(documents.count(), 4, "{printed}");
    assert_eq!(
        told,
        "Deployment/web: injected\nCronJob/report: injected\n\
         Pod/agent: left as it is (host-network): no credence sidecar: with hostNetwork every pod \
         of the node could use it. Remove hostNetwork, or opt the pod out\n"
    );
    // What other readers would take for something else is still a text.
    for quoted in ["\"yes\"", "\"0644\""] {
        let single = quoted.replace('"', "'");
        assert!(
            printed.contains(quoted) || printed.contains(&single),
            "{printed}"
        );
    }
}

#[test]
fn what_was_printed_needs_nothing_more() {
    let folder = folder(SHOP);
    let once = text(&inject(&folder, &["-f", "shop.yaml"]).stdout);
    folder.write("shop.yaml", &once);
    let (code, twice, told) = said(&inject(&folder, &["-f", "shop.yaml"]));
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(once, twice);
    assert!(
        told.contains("Deployment/web: left as it is (already-injected)\n"),
        "{told}"
    );
}

#[test]
fn the_standard_input_is_read_where_no_file_is_named() {
    let folder = folder(SHOP);
    let named = said(&inject(&folder, &["-f", "shop.yaml"]));
    assert_eq!(said(&output_of(folder.path(), &SETTINGS, SHOP)), named);
}

#[test]
fn collections_are_named_for_pods_that_name_none() {
    let folder = folder(SHOP);
    let more = ["-f", "shop.yaml", "--collections", "openai"];
    let (code, printed, told) = said(&inject(&folder, &more));
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(
        printed.matches("name: OPENAI_BASE_URL").count(),
        2,
        "{printed}"
    );
    assert_eq!(
        printed.matches("credence.dev/collections: openai").count(),
        3
    );
}

#[test]
fn sidecars_leave_the_network_through_the_proxy_that_is_named() {
    let folder = folder(SHOP);
    let proxy = ["-f", "shop.yaml", "--https-proxy", "http://proxy.test:3128"];
    let (code, printed, told) = said(&inject(&folder, &proxy));
    assert_eq!(code, Some(0), "{told}");
    let set = |name: &str, value: &str| {
        let variable = format!("- name: {name}\n");
        printed.matches(&variable).count() == 2 && printed.matches(value).count() == 2
    };
    assert!(
        set("HTTPS_PROXY", "value: http://proxy.test:3128\n"),
        "{printed}"
    );
    assert!(!printed.contains("NO_PROXY"), "{printed}");

    let both = [&proxy[..], &["--no-proxy", "example.test"]].concat();
    let (code, printed, told) = said(&inject(&folder, &both));
    assert_eq!(code, Some(0), "{told}");
    let exempt = "- name: NO_PROXY\n";
    assert_eq!(printed.matches(exempt).count(), 2, "{printed}");
    assert_eq!(
        printed.matches("value: example.test\n").count(),
        2,
        "{printed}"
    );

    let (code, printed, told) = said(&inject(&folder, &["--no-proxy", "example.test"]));
    assert_eq!((code, printed.as_str()), (Some(2), ""), "{told}");
}

#[test]
fn a_proxy_with_a_password_is_refused_and_not_repeated() {
    let folder = folder(SHOP);
    for (proxy, why) in [
        ("http://user:hunter2@proxy:3128", "it holds credentials"),
        ("https://hunter2:3128", "write it like"),
    ] {
        let more = ["-f", "shop.yaml", "--https-proxy", proxy];
        let (code, printed, told) = said(&inject(&folder, &more));
        assert_eq!((code, printed.as_str()), (Some(2), ""));
        assert!(told.starts_with(&format!("--https-proxy: {why}")), "{told}");
        assert!(!told.contains("hunter2"), "{told}");
    }
}

#[test]
fn one_refusal_keeps_everything_back() {
    let wrong = "---\napiVersion: v1\nkind: Pod\n\
        metadata: {name: wrong, annotations: {credence.dev/await: \"no\"}}\n\
        spec: {containers: [{name: a, image: a}]}\n";
    let folder = folder(&(SHOP.to_owned() + wrong));
    let (code, printed, told) = said(&inject(&folder, &["-f", "shop.yaml"]));
    assert_eq!((code, printed.as_str()), (Some(1), ""));
    let refusal = "Pod/wrong: refused: annotation credence.dev/await: write \"true\" or \"false\"";
    assert!(told.contains(refusal), "{told}");
    assert!(told.ends_with("nothing was printed\n"), "{told}");
    folder.write("shop.yaml", "a: [");
    let (code, _, told) = said(&inject(&folder, &["-f", "shop.yaml"]));
    assert_eq!(code, Some(1), "{told}");
    assert!(told.starts_with("shop.yaml:1:"), "{told}");
}

#[test]
fn what_cannot_be_used_is_said() {
    let folder = folder(SHOP).with("key.pem", "-----BEGIN PRIVATE KEY-----\n");
    let (code, _, told) = said(&inject(&folder, &["-f", "none.yaml"]));
    assert_eq!(code, Some(3));
    assert!(told.starts_with("cannot read none.yaml: "), "{told}");
    let arguments = ["inject", "--image", "s:1", "-f", "shop.yaml", "--feed-ca"];
    let with_ca = |file: &str| said(&output(folder.path(), &[&arguments[..], &[file]].concat()));
    let (code, _, told) = with_ca("key.pem");
    assert_eq!(code, Some(2));
    assert!(
        told.starts_with("--feed-ca key.pem: a private key is in it"),
        "{told}"
    );
    let (code, _, told) = with_ca("shop.yaml");
    assert_eq!(code, Some(2));
    assert!(
        told.contains("no certificate is in it. Take the feed's: kubectl get"),
        "{told}"
    );
    let (code, _, told) = said(&inject(&folder, &["--collections", "Open AI"]));
    assert_eq!(code, Some(2));
    assert!(told.starts_with("--collections: "), "{told}");
}
