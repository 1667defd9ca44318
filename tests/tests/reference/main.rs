//! `docs/reference.md` says what the code says. `UPDATE_GOLDEN=1` writes it
//! anew, which `make generate` does.

#![expect(
    clippy::unwrap_used,
    reason = "what fails outside a #[test] fails the test all the same"
)]

mod fields;
mod flags;
mod page;
mod source;
mod values;

use std::fs;
use std::path::{Path, PathBuf};

/// A file of the repository.
fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(file(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn the_reference_is_the_generated_one() {
    let generated = page::page();
    let path = file("docs/reference.md");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &generated).unwrap();
        return;
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    let differs = written
        .lines()
        .zip(generated.lines())
        .find(|(written, generated)| written != generated);
    assert!(
        written == generated,
        "docs/reference.md is not up to date: run `make generate`. First difference: {differs:#?}"
    );
}

#[test]
fn everything_has_a_description() {
    for line in page::page().lines().filter(|line| line.starts_with("| ")) {
        let last = line.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        assert!(!last.trim().is_empty(), "no description: {line}");
    }
}
