//! What a process holds in its memory.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;

use anyhow::{Context, Result};

use crate::process::{Paused, Process};

/// Which of the texts are anywhere in the memory that the process can write.
/// It stands still meanwhile.
///
/// # Errors
/// Its memory cannot be read.
pub fn holds<'a>(process: &Process, texts: &[&'a str]) -> Result<Vec<&'a str>> {
    let _paused = Paused::new(process)?;
    let id = process.id();
    let maps = fs::read_to_string(format!("/proc/{id}/maps"))?;
    let memory = File::open(format!("/proc/{id}/mem"))?;
    let mut found = Vec::new();
    for map in maps.lines().filter(|map| map.contains(" rw")) {
        let (from, rest) = map.split_once('-').context("a range")?;
        let (to, _) = rest.split_once(' ').context("a range")?;
        let (from, to) = (u64::from_str_radix(from, 16)?, u64::from_str_radix(to, 16)?);
        let mut content = vec![0; usize::try_from(to - from)?];
        memory
            .read_exact_at(&mut content, from)
            .with_context(|| map.to_owned())?;
        let is_in = |text: &&str| {
            let mut windows = content.windows(text.len());
            windows.any(|window| window == text.as_bytes())
        };
        found.extend(texts.iter().copied().filter(is_in));
    }
    Ok(found)
}
