//! Documents that name the tests which show what they say: those must exist.

#![expect(
    clippy::unwrap_used,
    reason = "what fails outside a #[test] fails the test all the same"
)]

use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Every Rust source of the workspace.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap_or_default();
        if path.is_dir() && name != "target" && name != ".git" {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// What stands in backquotes in the last column of the table.
fn named(document: &str) -> Vec<&str> {
    let rows = document.lines().filter(|line| line.starts_with("| "));
    rows.skip(1)
        .filter_map(|row| row.trim_end_matches(" |").rsplit_once(" | "))
        .flat_map(|(_, tests)| tests.split('`').skip(1).step_by(2))
        .collect()
}

#[test]
fn every_test_that_a_document_names_exists() {
    let makefile = fs::read_to_string(format!("{ROOT}/Makefile")).unwrap();
    let mut paths = Vec::new();
    sources(Path::new(ROOT), &mut paths);
    let code: String = paths
        .iter()
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    for document in ["SECURITY.md", "docs/requirements.md"] {
        let text = fs::read_to_string(format!("{ROOT}/{document}")).unwrap();
        let named = named(&text);
        assert!(named.len() > 40, "{document} has another form: {named:?}");
        for test in named {
            let exists = match test.strip_prefix("make ") {
                Some(target) => makefile.contains(&format!("\n{target}:")),
                None if test.contains(' ') => code.contains(&format!("\"{test}\"")),
                None => code.contains(&format!("fn {test}(")),
            };
            assert!(exists, "{document} names {test}, which does not exist");
        }
    }
}
