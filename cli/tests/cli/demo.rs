use rustix::process::Signal;

use crate::command::{Running, get, output, text};

/// Runs of at least 16 hexadecimal digits: a key, were one printed.
fn longest_hexadecimal_run(text: &str) -> usize {
    text.split(|c: char| !c.is_ascii_hexdigit())
        .map(str::len)
        .max()
        .unwrap_or(0)
}

#[test]
fn demo_with_exit_shows_refusal_development_and_live_and_succeeds() {
    let ended = output(std::env::temp_dir().as_path(), &["demo", "--exit"]);
    let shown = text(&ended.stdout);
    assert_eq!(
        ended.status.code(),
        Some(0),
        "{shown}{}",
        text(&ended.stderr)
    );
    for part in [
        "provider saw  no credential",
        "401 {\"error\":\"missing or wrong credential\"}",
        "authorization: Bearer dev_…",
        "?appid=live_…",
        "\"environment\":\"development\"",
        "\"environment\":\"live\"",
        "404 Credence-Error: unknown-collection",
        "Every call did what it must.",
    ] {
        assert!(shown.contains(part), "no {part} in:\n{shown}");
    }
    assert_eq!(shown.matches("401 {").count(), 4, "{shown}");
    assert_eq!(shown.matches("200 {").count(), 8, "{shown}");
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
