//! Nothing that was said by anything in any case holds a credential.

use std::fs;

use anyhow::{Result, ensure};
use credence_tests::leaks::leaks;

use crate::stage::Stage;

pub(crate) fn no_secret_was_left_anywhere(stage: &Stage) -> Result<String> {
    let files = fs::read_dir(stage.collected())?.count();
    let planted = stage.planted();
    let planted: Vec<&str> = planted.iter().map(String::as_str).collect();
    let found = leaks(stage.collected(), &planted)?;
    ensure!(found.is_empty(), "{found:?}");
    Ok(format!(
        "{} secrets, {files} logs, metrics, indexes and bodies",
        planted.len()
    ))
}
