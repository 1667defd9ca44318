use std::os::unix::fs::symlink;
use std::time::Duration;

use rustix::process::Signal;

use crate::command::{Running, assert_silent, get, get_until, output, text};
use crate::folder::{Folder, authority, collection, secret};
use crate::provider::Provider;

const DEV: &str = "dev_4f9ac1d0e7";
const LIVE: &str = "live_77b0e2c4d1";

/// The collection `shop` with both of its Secrets, in no namespace.
fn shop(provider: &Provider) -> Folder {
    Folder::empty()
        .with("shop.yaml", &collection("shop", provider.address))
        .with("dev.yaml", &secret("shop-dev", DEV))
        .with("live.yaml", &secret("shop-live", LIVE))
        .with("authority.yaml", &authority(&provider.pem))
}

#[test]
fn a_call_gets_the_credential_of_the_environment() {
    let provider = Provider::start();
    let folder = shop(&provider);
    let development = Running::serve(folder.path(), &[]);
    let answer = get(development.address("proxy"), "/shop/items?x=1");
    assert!(
        answer.ends_with(&format!("/v1/items?x=1 Authorization: Bearer {DEV}")),
        "{answer}"
    );
    let live = Running::serve(folder.path(), &["--environment", "live"]);
    let answer = get(live.address("proxy"), "/shop/items");
    assert!(
        answer.ends_with(&format!("/v1/items Authorization: Bearer {LIVE}")),
        "{answer}"
    );
    for running in [development, live] {
        assert_silent(&running.printed(), &[DEV, LIVE]);
    }
}

#[test]
fn a_run_leaves_no_core_file_behind() {
    let provider = Provider::start();
    let folder = shop(&provider);
    let running = Running::serve(folder.path(), &[]);
    running.address("proxy");
    let limits = running.told("limits");
    let core = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max core file size"));
    let core: Vec<_> = core.unwrap().split_whitespace().take(2).collect();
    assert_eq!(core, ["0", "0"], "{limits}");
}

#[test]
fn the_table_and_the_addresses_are_printed() {
    let provider = Provider::start();
    let folder = shop(&provider).with("service.yaml", "apiVersion: v1\nkind: Service\n");
    let running = Running::serve(folder.path(), &[]);
    let (proxy, admin) = (running.address("proxy"), running.address("admin"));
    let expected = format!(
        "namespace default, environment development\n\
         proxy  http://localhost:{proxy}/\n\
         admin  http://127.0.0.1:{admin}/  (livez, readyz, metrics)\n\
         \n\
         COLLECTION   ENVIRONMENT   URL                           METHOD   STATE\n\
         shop         development   http://localhost:{proxy}/shop   apiKey   ready\n\
         \n\
         ignored: Service\n",
        proxy = proxy.port(),
        admin = admin.port(),
    );
    let printed = running.wait_for("ignored");
    // The column is as wide as the port has digits.
    let squeeze = |text: &str| {
        text.split(' ')
            .filter(|w| !w.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(squeeze(&printed), squeeze(&expected));
    assert!(get(admin, "/livez").starts_with("HTTP/1.1 200"));
    assert!(get(admin, "/readyz").starts_with("HTTP/1.1 200"));
    assert!(get(admin, "/metrics").contains("credence_"));
}

#[test]
fn an_edited_secret_is_used_and_no_call_fails_meanwhile() {
    let provider = Provider::start();
    let folder = shop(&provider);
    let running = Running::serve(folder.path(), &[]);
    let proxy = running.address("proxy");
    get_until(proxy, "/shop/a", DEV);
    for generation in 0..3 {
        let fresh = format!("dev_fresh{generation}8f2c");
        folder.write("dev.yaml", &secret("shop-dev", &fresh));
        // Every answer on the way must be a success, with the old key or the new.
        loop {
            let answer = get(proxy, "/shop/a");
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            if answer.contains(&fresh) {
                break;
            }
        }
        assert_silent(&running.printed(), &[&fresh]);
    }
    running.wait_for("reloaded: namespace default, environment development");
}

#[test]
fn a_mounted_config_maps_swap_of_links_is_noticed() {
    let provider = Provider::start();
    let folder = shop(&provider);
    let path = |name: &str| folder.path().join(name);
    folder.write("..1/dev.yaml", &secret("shop-dev", "dev_first"));
    folder.write("..2/dev.yaml", &secret("shop-dev", "dev_second"));
    symlink("..1", path("..data")).unwrap();
    std::fs::remove_file(path("dev.yaml")).unwrap();
    symlink("..data/dev.yaml", path("dev.yaml")).unwrap();
    let running = Running::serve(folder.path(), &[]);
    let proxy = running.address("proxy");
    get_until(proxy, "/shop/a", "dev_first");
    symlink("..2", path("..swap")).unwrap();
    std::fs::rename(path("..swap"), path("..data")).unwrap();
    get_until(proxy, "/shop/a", "dev_second");
}

#[test]
fn a_broken_edit_keeps_the_last_good_state_and_says_what_is_wrong() {
    let provider = Provider::start();
    let folder = shop(&provider);
    let running = Running::serve(folder.path(), &[]);
    let proxy = running.address("proxy");
    get_until(proxy, "/shop/a", DEV);
    let good = collection("shop", provider.address);
    folder.write("shop.yaml", &good.replace("baseUrl", "baseURL"));
    let printed = running.wait_for("the last good state is still served");
    let file = folder.path().join("shop.yaml");
    let told = "5:3: spec.baseURL: unknown field \"baseURL\": did you mean \"baseUrl\"?";
    assert!(
        printed.contains(&format!("{}:{told}", file.display())),
        "{printed}"
    );
    assert!(get(proxy, "/shop/a").contains(DEV));
    folder.write("shop.yaml", &good.replace("/v1\n", "/v2\n"));
    get_until(proxy, "/shop/a", "/v2/a");
}

#[test]
fn a_secret_that_goes_is_a_named_error_and_reaches_no_provider() {
    let provider = Provider::start();
    let folder = shop(&provider);
    let running = Running::serve(folder.path(), &[]);
    let proxy = running.address("proxy");
    get_until(proxy, "/shop/a", DEV);
    std::fs::remove_file(folder.path().join("dev.yaml")).unwrap();
    get_until(proxy, "/shop/a", "credentials-missing");
    let before = provider.requests();
    assert!(get(proxy, "/shop/a").starts_with("HTTP/1.1 503"));
    assert!(get(proxy, "/other/a").contains("unknown-collection"));
    assert_eq!(provider.requests(), before);
    let printed = running.wait_for("shop: SecretNotFound");
    assert!(
        printed.contains("Secret \"shop-dev\" does not exist."),
        "{printed}"
    );
    folder.write("dev.yaml", &secret("shop-dev", "dev_back"));
    get_until(proxy, "/shop/a", "dev_back");
}

#[test]
fn a_missing_key_is_told_under_the_table() {
    let provider = Provider::start();
    let folder = shop(&provider);
    let wrong = secret("shop-dev", DEV).replace("{key:", "{apikey:");
    folder.write("dev.yaml", &wrong);
    let running = Running::serve(folder.path(), &[]);
    let printed = running.wait_for("shop: SecretKeyMissing");
    let told = running.wait_for("has no key \"key\" (it has: apikey)");
    assert_silent(&told, &[DEV]);
    assert!(printed.contains("apiKey   SecretKeyMissing"), "{printed}");
}

#[test]
fn the_namespace_documents_label_decides_unless_the_flag_does() {
    let provider = Provider::start();
    let namespace = "apiVersion: v1\nkind: Namespace\n\
        metadata: {name: shop, labels: {credence.dev/environment: live}}\n";
    let folder = shop(&provider).with("namespace.yaml", namespace);
    let by_label = Running::serve(folder.path(), &[]);
    by_label.wait_for("namespace shop, environment live");
    get_until(by_label.address("proxy"), "/shop/a", LIVE);
    let by_flag = Running::serve(folder.path(), &["--environment", "development"]);
    get_until(by_flag.address("proxy"), "/shop/a", DEV);
    // The label is followed like everything else.
    folder.write("namespace.yaml", &namespace.replace("live", "development"));
    get_until(by_label.address("proxy"), "/shop/a", DEV);
}

#[test]
fn several_namespaces_need_a_choice() {
    let provider = Provider::start();
    let named = |name: &str, namespace: &str| {
        let metadata = format!("{{name: {name}, namespace: {namespace}}}");
        collection(name, provider.address).replace(&format!("{{name: {name}}}"), &metadata)
    };
    let folder = shop(&provider)
        .with("a.yaml", &named("a", "team-a"))
        .with("b.yaml", &named("b", "team-b"));
    std::fs::remove_file(folder.path().join("shop.yaml")).unwrap();
    let ended = output(folder.path(), &["run", "."]);
    assert_eq!(ended.status.code(), Some(2));
    assert_eq!(
        text(&ended.stderr),
        "the files name 2 namespaces (team-a, team-b): choose one with --namespace\n"
    );
    let running = Running::serve(folder.path(), &["--namespace", "team-b"]);
    let printed = running.wait_for("SecretNotFound");
    assert!(printed.contains("b            development"), "{printed}");
    assert!(!printed.contains("\na  "), "{printed}");
}

#[test]
fn what_cannot_begin_says_why() {
    let provider = Provider::start();
    let folder = shop(&provider);
    let path = folder.path();
    let refused = output(path, &["run", ".", "--listen", "0.0.0.0:0"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("not a loopback address"));
    let refused = output(path, &["run", ".", "--admin", "192.0.2.1:0"]);
    assert_eq!(refused.status.code(), Some(2));
    let missing = output(path, &["run", "nowhere"]);
    assert_eq!(missing.status.code(), Some(3));
    assert!(text(&missing.stderr).starts_with("cannot read nowhere: "));
    let busy = provider.address.to_string();
    let taken = output(
        path,
        &["run", ".", "--listen", &busy, "--admin", "127.0.0.1:0"],
    );
    assert_eq!(taken.status.code(), Some(3));
    let told = text(&taken.stderr);
    assert!(told.contains(&format!("cannot listen on {busy}")), "{told}");
    assert!(
        told.contains("choose another address with --listen"),
        "{told}"
    );
    folder.write("shop.yaml", "a: [1\n");
    let broken = output(path, &["run", "."]);
    assert_eq!(broken.status.code(), Some(1));
    assert!(
        text(&broken.stderr).starts_with("./shop.yaml:"),
        "{}",
        text(&broken.stderr)
    );
}

#[test]
fn interrupt_and_terminate_end_it_with_success() {
    let provider = Provider::start();
    let folder = shop(&provider);
    for signal in [Signal::INT, Signal::TERM] {
        let mut running = Running::serve(folder.path(), &[]);
        get_until(running.address("proxy"), "/shop/a", DEV);
        running.signal(signal);
        let begun = std::time::Instant::now();
        assert_eq!(running.wait().code(), Some(0));
        assert!(begun.elapsed() < Duration::from_secs(10));
    }
}
