//! `credence run` obtains tokens itself.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Output;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::command::{Running, assert_silent, get, get_until, output_with};
use crate::folder::{Folder, authority};
use crate::issuer::{CLIENT_SECRET, FIRST_REFRESH_TOKEN, Issuer, PASSWORD};

pub(crate) const CLIENT_CREDENTIALS: &str = r#"
    oauth2ClientCredentials:
      token:
        url: https://localhost:PORT/token
        client: {id: app, secret: "${secret.client-secret}"}"#;
const USER: &str = r#"
    oauth2Password:
      username: ann
      token:
        url: https://localhost:PORT/token
        client: {id: app, secret: "${secret.client-secret}"}"#;
const REFRESH_TOKEN: &str = r#"
    oauth2RefreshToken:
      token:
        url: https://localhost:PORT/token
        client: {id: app, secret: "${secret.client-secret}"}"#;
const CUSTOM: &str = r#"
    oauth2CustomToken:
      token:
        url: https://localhost:PORT/signin
        body: '{"user":"ann","password":"${secret.password}"}'
        bodyFormat: Json
        response:
          accessTokenPath: data.token
          expiresPath: data.ttl
          baseUrlPath: data.host
        placement: {name: X-Session, prefix: ""}
  baseUrlAllow: ["localhost:PORT"]"#;

/// A user with a folder of manifests and one for state.
pub(crate) struct Laptop {
    folder: Folder,
    home: TempDir,
}

impl Laptop {
    pub(crate) fn new(issuer: &Issuer, auth: &str) -> Self {
        let folder = Folder::empty()
            .with("api.yaml", &collection(issuer, auth))
            .with("secret.yaml", &secret(CLIENT_SECRET))
            .with("authority.yaml", &authority(&issuer.pem));
        let home = tempfile::tempdir().unwrap();
        Self { folder, home }
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Running {
        let home = self.home.path().to_str().unwrap();
        Running::serve_with(
            self.folder.path(),
            arguments,
            &[("HOME", home), ("XDG_STATE_HOME", "")],
        )
    }

    /// Another command of the same user, in the folder.
    pub(crate) fn output(&self, arguments: &[&str]) -> Output {
        let home = self.home.path().to_str().unwrap();
        let variables = [("HOME", home), ("XDG_STATE_HOME", "")];
        output_with(self.folder.path(), arguments, &variables)
    }

    fn state(&self) -> PathBuf {
        self.home.path().join(".local/state/credence/tokens")
    }
}

fn collection(issuer: &Issuer, auth: &str) -> String {
    let port = issuer.address.port();
    let text = format!(
        r#"apiVersion: credence.dev/v1alpha1
kind: ApiCollection
metadata: {{name: api}}
spec:
  baseUrl: https://localhost:PORT/v1
  auth:{auth}
  development:
    secretRef: {{name: api-dev}}
    caRef: {{kind: ConfigMap, name: authority, key: ca.crt}}
    allowPrivateNetworks: true
"#
    );
    text.replace("PORT", &port.to_string())
}

fn secret(client_secret: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: api-dev}}\nstringData:\n  \
         client-secret: {client_secret}\n  password: {PASSWORD}\n  \
         refresh-token: {FIRST_REFRESH_TOKEN}\n"
    )
}

/// Ends it as a user does.
pub(crate) fn interrupt(mut running: Running) {
    running.signal(Signal::INT);
    assert_eq!(running.wait().code(), Some(0));
}

fn assert_says_nothing(running: &Running, issuer: &Issuer) {
    let secrets = issuer.secrets();
    let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
    assert_silent(&running.printed(), &secrets);
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn each_method_obtains_a_token_and_calls_are_made_with_it() {
    for (auth, path, asked) in [
        (
            CLIENT_CREDENTIALS,
            "/v1/items",
            "grant_type=client_credentials",
        ),
        (USER, "/v1/items", "username=ann"),
        (REFRESH_TOKEN, "/v1/items", "grant_type=refresh_token"),
        // The answer says where the API is.
        (CUSTOM, "/tenant-7/items", "\"user\":\"ann\""),
    ] {
        let issuer = Issuer::start(3600);
        let laptop = Laptop::new(&issuer, auth);
        let running = laptop.run(&["-vv"]);
        let proxy = running.address("proxy");
        get_until(proxy, "/api/items", &format!("{path} access-1-"));
        running.wait_for("api: The token holds until 20");
        let requests = issuer.asked();
        assert_eq!(requests.len(), 1);
        assert!(requests[0].contains(asked), "{requests:?}");
        assert_says_nothing(&running, &issuer);
    }
}

#[test]
fn a_token_is_renewed_before_it_ends_and_no_call_is_late() {
    let issuer = Issuer::start(8);
    let laptop = Laptop::new(&issuer, CLIENT_CREDENTIALS);
    let running = laptop.run(&[]);
    let proxy = running.address("proxy");
    get_until(proxy, "/api/a", "access-1-");
    while issuer.asked().len() < 3 {
        let answer = get(proxy, "/api/a");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    assert_eq!(issuer.late_calls(), 0);
    // That it was renewed is nothing to tell.
    let printed = running.printed();
    assert_eq!(printed.matches("api: ").count(), 2, "{printed}");
}

#[test]
fn a_replaced_refresh_token_is_the_one_that_is_sent_after_a_restart() {
    let issuer = Issuer::start(3);
    let laptop = Laptop::new(&issuer, REFRESH_TOKEN);
    let first = laptop.run(&[]);
    get_until(first.address("proxy"), "/api/a", "access-2-");
    interrupt(first);
    let before = issuer.asked().len();
    let second = laptop.run(&[]);
    let proxy = second.address("proxy");
    issuer.wait_for_requests(before + 2);
    get_until(proxy, "/api/a", "200");
    assert_eq!(issuer.reuses(), 0);
    // Nor is the one of the Secret sent by a run that finds what another keeps.
    interrupt(second);
    assert_eq!(
        issuer
            .asked()
            .iter()
            .filter(|body| body.contains(FIRST_REFRESH_TOKEN))
            .count(),
        1
    );
}

#[test]
fn a_token_is_used_again_after_a_restart_and_from_whichever_folder() {
    let issuer = Issuer::start(3600);
    let laptop = Laptop::new(&issuer, CLIENT_CREDENTIALS);
    let first = laptop.run(&[]);
    get_until(first.address("proxy"), "/api/a", "access-1-");
    interrupt(first);
    let real = laptop.folder.path();
    let roundabout = real.join("..").join(real.file_name().unwrap());
    let home = laptop.home.path().to_str().unwrap();
    let second = Running::serve_with(&roundabout, &[], &[("HOME", home), ("XDG_STATE_HOME", "")]);
    get_until(second.address("proxy"), "/api/a", "access-1-");
    assert_eq!(issuer.asked().len(), 1);
}

#[test]
fn two_runs_of_one_folder_never_send_the_same_refresh_token() {
    let issuer = Issuer::start(3);
    let laptop = Laptop::new(&issuer, REFRESH_TOKEN);
    let (one, other) = (laptop.run(&[]), laptop.run(&[]));
    issuer.wait_for_requests(5);
    for running in [&one, &other] {
        get_until(running.address("proxy"), "/api/a", "HTTP/1.1 200");
    }
    assert_eq!(issuer.reuses(), 0);
}

#[test]
fn development_with_live_settings_has_the_token_of_live() {
    let issuer = Issuer::start(3600);
    let laptop = Laptop::new(&issuer, REFRESH_TOKEN);
    let collection = collection(&issuer, REFRESH_TOKEN);
    let settings = "  developmentFallback: UseLive\n  live:\n";
    let collection = collection.replace("  development:\n", settings);
    fs::write(laptop.folder.path().join("api.yaml"), collection).unwrap();
    for environment in ["live", "development", "live"] {
        let running = laptop.run(&["--environment", environment]);
        get_until(running.address("proxy"), "/api/a", "access-1-");
        interrupt(running);
    }
    assert_eq!(issuer.asked().len(), 1);
}

#[test]
fn a_run_with_a_wrong_secret_is_not_made_to_ask_again_by_another() {
    let issuer = Issuer::start(3);
    let laptop = Laptop::new(&issuer, CLIENT_CREDENTIALS);
    let home = laptop.home.path().to_str().unwrap();
    let variables = [
        ("HOME", home),
        ("XDG_STATE_HOME", ""),
        ("API_DEV_CLIENT_SECRET", "another-secret"),
    ];
    let wrong = Running::serve_with(laptop.folder.path(), &["--env-secrets"], &variables);
    wrong.wait_for("It is asked again when the collection or its Secret changes.");
    let right = laptop.run(&[]);
    let proxy = right.address("proxy");
    get_until(proxy, "/api/a", "HTTP/1.1 200");
    issuer.wait_for_requests(6);
    assert_eq!(issuer.strangers(), 1);
    assert!(get(wrong.address("proxy"), "/api/a").contains("token-unavailable"));
}

#[test]
fn state_is_its_owners_alone() {
    let issuer = Issuer::start(3600);
    let laptop = Laptop::new(&issuer, REFRESH_TOKEN);
    let running = laptop.run(&[]);
    get_until(running.address("proxy"), "/api/a", "access-1-");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let folder = laptop.state();
    assert_eq!(mode(&folder), 0o700);
    let files = files(&folder);
    assert_eq!(files.len(), 2, "{files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[test]
fn an_ephemeral_run_writes_nothing() {
    let issuer = Issuer::start(3600);
    let laptop = Laptop::new(&issuer, CLIENT_CREDENTIALS);
    let running = laptop.run(&["--ephemeral"]);
    get_until(running.address("proxy"), "/api/a", "access-1-");
    interrupt(running);
    assert!(files(laptop.home.path()).is_empty());
    assert_eq!(files(laptop.folder.path()).len(), 3);
}

#[test]
fn a_token_that_the_api_refuses_is_renewed_once() {
    let issuer = Issuer::start(3600);
    let laptop = Laptop::new(&issuer, CLIENT_CREDENTIALS);
    let running = laptop.run(&[]);
    let proxy = running.address("proxy");
    get_until(proxy, "/api/a", "access-1-");
    issuer.revoke();
    get_until(proxy, "/api/a", "access-2-");
    assert_eq!(issuer.asked().len(), 2);
}

#[test]
fn while_the_token_endpoint_is_down_the_token_is_used_to_its_end_and_never_after() {
    let issuer = Issuer::start(4);
    let laptop = Laptop::new(&issuer, CLIENT_CREDENTIALS);
    let running = laptop.run(&[]);
    let proxy = running.address("proxy");
    get_until(proxy, "/api/a", "access-1-");
    issuer.set_down(true);
    running.wait_for("api: The token holds until 20");
    let answer = loop {
        let answer = get(proxy, "/api/a");
        if !answer.starts_with("HTTP/1.1 200") {
            break answer;
        }
    };
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.contains("token-unavailable"), "{answer}");
    assert!(
        answer.to_lowercase().contains("\r\nretry-after: "),
        "{answer}"
    );
    assert_eq!(issuer.late_calls(), 0);
    let printed = running.wait_for("It is asked again at");
    assert!(!printed.contains("out of order"), "{printed}");
    assert_says_nothing(&running, &issuer);
}

#[test]
fn a_call_before_there_is_a_token_is_told_so() {
    let issuer = Issuer::start(3600);
    issuer.set_down(true);
    let laptop = Laptop::new(&issuer, CLIENT_CREDENTIALS);
    let running = laptop.run(&[]);
    let proxy = running.address("proxy");
    let printed = running.wait_for("api: no token yet");
    assert!(printed.contains("oauth2ClientCredentials"), "{printed}");
    issuer.wait_for_requests(1);
    let answer = get(proxy, "/api/a");
    assert!(answer.contains("token-unavailable"), "{answer}");
}

#[test]
fn a_refused_refresh_token_waits_for_a_person_and_another_one_begins_anew() {
    let issuer = Issuer::start(3600);
    let laptop = Laptop::new(&issuer, REFRESH_TOKEN);
    let good = secret(CLIENT_SECRET);
    let stolen = good.replace(FIRST_REFRESH_TOKEN, "refresh-of-another-55");
    laptop.folder.write("secret.yaml", &stolen);
    let running = laptop.run(&[]);
    let proxy = running.address("proxy");
    get_until(proxy, "/api/a", "reauthorization-required");
    running.wait_for("put the new refresh token into the Secret");
    let asked = issuer.asked().len();
    assert_eq!(asked, 1);
    laptop.folder.write("secret.yaml", &good);
    get_until(proxy, "/api/a", "access-2-");
}

#[test]
fn the_token_of_before_is_used_until_an_edited_order_has_one() {
    let issuer = Issuer::start(3600);
    let laptop = Laptop::new(&issuer, CLIENT_CREDENTIALS);
    let running = laptop.run(&[]);
    let proxy = running.address("proxy");
    get_until(proxy, "/api/a", "access-1-");
    let edited = format!("{CLIENT_CREDENTIALS}\n        scopes: [orders.read]");
    laptop
        .folder
        .write("api.yaml", &collection(&issuer, &edited));
    loop {
        let answer = get(proxy, "/api/a");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        if answer.contains("access-2-") {
            break;
        }
    }
    let asked = issuer.asked();
    assert!(asked[1].contains("scope=orders.read"), "{asked:?}");
}

#[test]
fn an_edit_that_concerns_no_token_asks_for_none() {
    let issuer = Issuer::start(3600);
    let laptop = Laptop::new(&issuer, CLIENT_CREDENTIALS);
    let running = laptop.run(&[]);
    let proxy = running.address("proxy");
    get_until(proxy, "/api/a", "access-1-");
    let edited = collection(&issuer, CLIENT_CREDENTIALS).replace(
        "  development:",
        "  headers: [{name: X-A, value: b}]\n  development:",
    );
    laptop.folder.write("api.yaml", &edited);
    running.wait_for("reloaded:");
    let answer = get(proxy, "/api/a");
    assert!(answer.contains("access-1-"), "{answer}");
    assert_eq!(issuer.asked().len(), 1);
}

#[test]
fn where_nothing_can_be_kept_nothing_is_asked_for() {
    let issuer = Issuer::start(3600);
    let laptop = Laptop::new(&issuer, REFRESH_TOKEN);
    let variables = [("HOME", ""), ("XDG_STATE_HOME", "")];
    let running = Running::serve_with(laptop.folder.path(), &[], &variables);
    running.wait_for("or use --ephemeral");
    let answer = get(running.address("proxy"), "/api/a");
    assert!(answer.contains("token-unavailable"), "{answer}");
    assert!(issuer.asked().is_empty());
}
