use rustix::process::Signal;

use crate::command::{Running, get, output, text};

/// Runs of at least 16 hexadecimal digits: a key, were one printed.
fn longest_hexadecimal_run(text: &str) -> usize {
    text.split(|c: char| !c.is_ascii_hexdigit())
        .map(str::len)
        .max()
        .unwrap_or(0)
}

/// How many lines to this party have such an answer.
fn answers(shown: &str, to: &str, answer: &str) -> usize {
    let head = format!("    {to:13}");
    shown
        .lines()
        .filter(|line| line.starts_with(&head) && line.contains(answer))
        .count()
}

#[test]
fn demo_with_exit_shows_every_method_refused_without_and_answered_with_its_credential() {
    let ended = output(std::env::temp_dir().as_path(), &["demo", "--exit"]);
    let shown = text(&ended.stdout);
    assert_eq!(
        ended.status.code(),
        Some(0),
        "{shown}{}",
        text(&ended.stderr)
    );
    let environments = ["development", "live"];
    for (environment, prefix) in environments.into_iter().zip(["dev_…", "live_…"]) {
        for seen in [
            format!("authorization: Bearer {prefix} "),
            format!("?appid={prefix} "),
            format!("cookie: session={prefix}; theme=dark "),
            format!("/bot{prefix}/ "),
            format!("body: {{\"api_key\": \"{prefix}\"}} "),
            format!("authorization: Basic base64({prefix}:) "),
            format!("x-mail-key: {prefix} "),
            format!("certificate of shop-{environment} "),
            format!("certificate of shop-{environment}, x-key: {prefix} "),
        ] {
            let line = format!("{environment:13}{seen}");
            assert!(shown.contains(&line), "no {line} in:\n{shown}");
        }
        assert_eq!(answers(&shown, environment, "200 {"), 9, "{shown}");
        for slug in ["unknown-collection", "forbidden-origin", "forbidden-host"] {
            let refusal = format!("Credence-Error: {slug}");
            assert_eq!(answers(&shown, environment, &refusal), 1, "{shown}");
        }
    }
    // Without a credential, and with one that was made up.
    assert_eq!(answers(&shown, "provider", "401 {"), 18, "{shown}");
    assert!(
        shown.ends_with("All 42 calls did what they must.\n"),
        "{shown}"
    );
    assert!(
        longest_hexadecimal_run(&shown) < 16,
        "a key was printed:\n{shown}"
    );
}

#[test]
fn demo_stays_until_interrupted_and_removes_its_folder() {
    let mut demo = Running::start(&["demo"]);
    let shown = demo.wait_for("limit=2'\n  curl");
    let folder = shown
        .lines()
        .find(|line| line.contains("credence-demo-"))
        .unwrap()
        .trim();
    assert!(std::fs::exists(folder).unwrap());
    let url = shown.split("curl -i 'http://localhost:").nth(1).unwrap();
    let (port, path) = url.split_once('/').unwrap();
    let path = format!("/{}", path.split('\'').next().unwrap());
    let answer = get(([127, 0, 0, 1], port.parse().unwrap()).into(), &path);
    assert!(
        answer.contains("\"environment\":\"development\""),
        "{answer}"
    );
    demo.signal(Signal::INT);
    assert_eq!(demo.wait().code(), Some(0));
    assert!(!std::fs::exists(folder).unwrap());
}
