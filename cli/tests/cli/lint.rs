use crate::command::{assert_silent, output, text};
use crate::folder::Folder;

/// What lint prints about these files, and its exit status.
fn lint(folder: &Folder) -> (String, i32) {
    let ended = output(folder.path(), &["lint", "shop"]);
    (text(&ended.stdout), ended.status.code().unwrap())
}

const GOOD: &str = r#"apiVersion: credence.dev/v1alpha1
kind: ApiCollection
metadata: {name: chat, namespace: shop}
spec:
  baseUrl: https://api.example.com/v1
  auth:
    apiKey: {in: Header, name: Authorization, value: "Bearer ${secret.api-key}"}
  live:
    secretRef: {name: chat-live}
  development:
    secretRef: {name: chat-dev}
"#;

const SECRETS: &str = "\
apiVersion: v1
kind: Secret
metadata: {name: chat-live, namespace: shop}
stringData: {api-key: live_5f1c77aa}
---
apiVersion: v1
kind: Secret
metadata: {name: chat-dev, namespace: shop}
data: {api-key: ZGV2XzkyYmUwMw==}
";

#[test]
fn manifests_without_a_problem_are_silent() {
    let folder = Folder::empty()
        .with("shop/chat.yaml", GOOD)
        .with("shop/secrets.yml", SECRETS)
        .with(
            "shop/other.json",
            "{\"kind\": \"Service\", \"apiVersion\": \"v1\"}",
        );
    let ended = output(folder.path(), &["lint", "shop"]);
    assert_eq!(text(&ended.stdout), "");
    assert_eq!(
        text(&ended.stderr),
        "3 files, 1 collection: 0 errors, 0 warnings\nignored: Service\n"
    );
    assert_eq!(ended.status.code(), Some(0));
}

#[test]
fn an_absent_secret_is_a_warning_and_an_absent_key_an_error() {
    let folder = Folder::empty().with("shop/chat.yaml", GOOD);
    let (printed, status) = lint(&folder);
    assert_eq!(
        printed,
        "shop/chat.yaml:9:23: spec.live.secretRef.name: warning: Secret \"chat-live\" is not in these files: calls fail until it exists\n\
         shop/chat.yaml:11:23: spec.development.secretRef.name: warning: Secret \"chat-dev\" is not in these files: calls fail until it exists\n"
    );
    assert_eq!(status, 0);
    folder.write(
        "shop/secrets.yaml",
        &SECRETS.replace("api-key: live", "apikey: live"),
    );
    let (printed, status) = lint(&folder);
    assert_eq!(
        printed,
        "shop/chat.yaml:7:54: spec.auth.apiKey.value: Secret \"chat-live\" has no key \"api-key\" (it has: apikey). \
         Rename the key or change spec.auth.apiKey.value.\n"
    );
    assert_eq!(status, 1);
    assert_silent(&printed, &["live_5f1c77aa", "dev_92be03"]);
}

/// One edit of the good manifest, and the line that it makes lint print.
fn assert_told(from: &str, to: &str, told: &str) {
    assert!(GOOD.contains(from), "{from}");
    let folder = Folder::empty()
        .with("shop/chat.yaml", &GOOD.replacen(from, to, 1))
        .with("shop/secrets.yaml", SECRETS);
    let (printed, status) = lint(&folder);
    assert_eq!(printed, format!("shop/chat.yaml:{told}\n"));
    assert_eq!(status, 1);
}

#[test]
fn mistyped_fields_name_the_one_that_was_meant() {
    assert_told(
        "baseUrl:",
        "baseURL:",
        "5:3: spec.baseURL: unknown field \"baseURL\": did you mean \"baseUrl\"?",
    );
    assert_told(
        "secretRef: {name: chat-live}",
        "secretref: {name: chat-live}",
        "9:5: spec.live.secretref: unknown field \"secretref\": did you mean \"secretRef\"?",
    );
    assert_told(
        "namespace: shop",
        "namespaces: shop",
        "3:24: metadata.namespaces: unknown field \"namespaces\": did you mean \"namespace\"?",
    );
    assert_told(
        "apiKey:",
        "apikey:",
        "7:5: spec.auth.apikey: unknown field \"apikey\": did you mean \"apiKey\"?",
    );
    assert_told(
        "  live:",
        "  zebra: {}\n  live:",
        "8:3: spec.zebra: unknown field \"zebra\"",
    );
}

#[test]
fn values_of_the_wrong_kind_say_what_they_must_be() {
    assert_told(
        "in: Header",
        "in: header",
        "7:18: spec.auth.apiKey.in: must be one of \"Header\", \"Query\", \"Cookie\", \"Path\", \"Body\": did you mean \"Header\"?",
    );
    assert_told(
        "name: Authorization",
        "name: yes",
        "7:32: spec.auth.apiKey.name: must be a text, not a boolean: put it in quotes",
    );
    assert_told(
        ", name: Authorization",
        "",
        "7:5: spec.auth.apiKey.name: is required: write the name of the header, query \
             parameter, cookie or member of the body",
    );
    assert_told(
        "{name: chat-live}",
        "",
        "9:5: spec.live.secretRef: has no value: write {} or fill it in, or leave the field out",
    );
    assert_told(
        "apiVersion: credence.dev/v1alpha1",
        "apiVersion: credence.dev/v1",
        "1:13: apiVersion: must be credence.dev/v1alpha1",
    );
    assert_told(
        "kind: ApiCollection",
        "kind: ApiColection",
        "2:7: kind: \"ApiColection\" is not a kind of credence.dev/v1alpha1: did you mean \"ApiCollection\"?",
    );
}

#[test]
fn a_literal_secret_is_refused_and_not_shown() {
    let literal = GOOD.replace("Bearer ${secret.api-key}", "Bearer sk_live_9a8b7c");
    let folder = Folder::empty()
        .with("shop/chat.yaml", &literal)
        .with("shop/secrets.yaml", SECRETS);
    let (printed, status) = lint(&folder);
    assert!(
        printed.starts_with(
            "shop/chat.yaml:7:54: spec.auth.apiKey.value: must take the key from the Secret"
        ),
        "{printed}"
    );
    assert_eq!(printed.lines().count(), 1, "{printed}");
    assert_eq!(status, 1);
    assert_silent(&printed, &["sk_live_9a8b7c"]);
}

#[test]
fn templates_and_urls_are_read() {
    let folder = Folder::empty().with("shop/secrets.yaml", SECRETS).with(
        "shop/chat.yaml",
        &GOOD.replace("${secret.api-key}", "${secret.api-key|bas64}"),
    );
    let (printed, status) = lint(&folder);
    assert!(
        printed.starts_with("shop/chat.yaml:7:54: spec.auth.apiKey.value: "),
        "{printed}"
    );
    assert!(printed.contains("base64"), "{printed}");
    assert_eq!(status, 1);
    folder.write("shop/chat.yaml", &GOOD.replace("/v1\n", "/v1?x=1\n"));
    let (printed, status) = lint(&folder);
    assert!(
        printed.starts_with("shop/chat.yaml:5:12: spec.baseUrl: "),
        "{printed}"
    );
    assert_eq!(status, 1);
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let wrong = GOOD
        .replace("https://", "ftp://")
        .replace("name: chat,", "name: Chat,")
        .replace(
            "secretRef: {name: chat-live}",
            "secretref: {name: chat-live}",
        )
        .replace("${secret.api-key}", "${secrets.api-key}");
    let folder = Folder::empty().with("shop/chat.yaml", &wrong);
    let (printed, _) = lint(&folder);
    let fields: Vec<&str> = printed
        .lines()
        .filter_map(|line| line.split(": ").nth(1))
        .collect();
    assert_eq!(
        fields,
        [
            "metadata.name",
            "spec.baseUrl",
            "spec.auth.apiKey.value",
            "spec.live.secretref"
        ],
        "{printed}"
    );
}

#[test]
fn syntax_errors_have_a_line_and_a_column() {
    let folder = Folder::empty().with(
        "shop/chat.yaml",
        "kind: Secret\nstringData: {a: live_1f2e3d4c\n",
    );
    let (printed, status) = lint(&folder);
    assert!(
        printed.starts_with("shop/chat.yaml:2:13: not YAML: "),
        "{printed}"
    );
    assert_silent(&printed, &["live_1f2e3d4c"]);
    assert_eq!(status, 1);
}

#[test]
fn objects_defined_twice_are_errors() {
    let folder = Folder::empty()
        .with("shop/a.yaml", GOOD)
        .with("shop/b.yaml", &GOOD.replace(", namespace: shop", ""))
        .with("shop/secrets.yaml", SECRETS);
    let (printed, status) = lint(&folder);
    assert_eq!(
        printed,
        "shop/b.yaml:3:18: metadata.name: ApiCollection \"chat\" is defined already at shop/a.yaml:3:18: remove one of them\n"
    );
    assert_eq!(status, 1);
}

#[test]
fn keys_given_twice_and_secrets_that_are_not_base64_are_errors() {
    let folder = Folder::empty().with(
        "shop/secret.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: x}\ndata:\n  a: live_1f2e3d4c!\n  b: eA==\n  b: eQ==\n",
    );
    let (printed, status) = lint(&folder);
    assert_eq!(
        printed,
        "shop/secret.yaml:5:6: data.a: is not base64: encode it, or put the text itself under stringData\n\
         shop/secret.yaml:7:3: data.b: is given twice\n"
    );
    assert_eq!(status, 1);
}

#[test]
fn an_environment_that_there_is_not_is_a_warning() {
    let folder = Folder::empty().with(
        "shop/namespace.yaml",
        "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n  labels:\n    credence.dev/environment: prod\n",
    );
    let (printed, status) = lint(&folder);
    assert_eq!(
        printed,
        "shop/namespace.yaml:6:31: metadata.labels[credence.dev/environment]: warning: \"prod\" is not an environment: \
         write live or development; anything else counts as development\n"
    );
    assert_eq!(status, 0);
}

#[test]
fn a_path_that_is_not_there_is_an_error_of_its_own() {
    let folder = Folder::empty();
    let ended = output(folder.path(), &["lint", "shop"]);
    assert_eq!(ended.status.code(), Some(3));
    assert!(text(&ended.stderr).starts_with("cannot read shop: "));
}

#[test]
fn one_manifest_for_two_namespaces_is_checked_in_both() {
    let namespace = |name: &str, environment: &str| {
        format!(
            "---\napiVersion: v1\nkind: Namespace\n\
             metadata: {{name: {name}, labels: {{credence.dev/environment: {environment}}}}}\n"
        )
    };
    let namespaces = namespace("shop-dev", "development") + &namespace("shop-live", "live");
    let secrets = SECRETS
        .replace(
            "chat-live, namespace: shop",
            "chat-live, namespace: shop-live",
        )
        .replace("chat-dev, namespace: shop", "chat-dev, namespace: shop-dev");
    let folder = Folder::empty()
        .with("shop/chat.yaml", &GOOD.replace(", namespace: shop", ""))
        .with("shop/namespaces.yaml", &namespaces)
        .with("shop/secrets.yaml", &secrets);
    assert_eq!(lint(&folder), (String::new(), 0));
    // Secrets that name no namespace go where the collection goes.
    let anywhere = SECRETS.replace(", namespace: shop", "");
    folder.write("shop/secrets.yaml", &anywhere);
    assert_eq!(lint(&folder), (String::new(), 0));
    folder.write(
        "shop/secrets.yaml",
        &secrets.replace("{api-key: Z", "{apikey: Z"),
    );
    let (printed, status) = lint(&folder);
    assert!(
        printed.starts_with(
            "shop/chat.yaml:7:54: spec.auth.apiKey.value: Secret \"chat-dev\" has no key"
        ),
        "{printed}"
    );
    assert_eq!((printed.lines().count(), status), (1, 1));
}

#[test]
fn the_examples_have_no_problem() {
    let examples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let folders = std::fs::read_dir(examples).unwrap().flatten();
    let mut linted = 0;
    for folder in folders.map(|entry| entry.path()) {
        if !folder.is_dir() {
            continue;
        }
        let ended = output(&folder, &["lint", "."]);
        let printed = text(&ended.stdout);
        // A certificate cannot stand in a file that everybody reads.
        let brings_secrets = folder.join("secrets.yaml").exists();
        let absent = |line: &str| {
            let certificate = line.contains("tlsSecretRef.name: ");
            line.contains("is not in these files") && (certificate || !brings_secrets)
        };
        assert!(
            printed.lines().all(absent),
            "{}: {printed}",
            folder.display()
        );
        assert_eq!(ended.status.code(), Some(0), "{}", folder.display());
        linted += 1;
    }
    assert!(linted > 0);
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let ended = output(&root, &["lint", "examples"]);
    assert_eq!(ended.status.code(), Some(0), "{}", text(&ended.stdout));
}
