//! Notices that files changed.
//!
//! By reading them again: editors write in place, or rename a new file over the
//! old one; a mounted ConfigMap swaps a link two folders up; network file
//! systems notify nobody. What is read again and compared is right in every
//! one of these cases, and a folder of manifests is small.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::files::{self, File};

/// Between two looks. With [`SETTLE`] it bounds how long a new key waits.
const PAUSE: Duration = Duration::from_millis(200);
/// A change is believed when it looks the same after this time: until then an
/// editor may be in the middle of writing.
const SETTLE: Duration = Duration::from_millis(50);
/// A look takes at most this part of the time, however large the folder is.
const SHARE: u32 = 10;

/// What was seen at one time: the files, or why they could not be read.
pub(crate) type Seen = Result<Vec<File>, String>;

/// Looks at files again and again.
pub(crate) struct Watch {
    paths: Vec<PathBuf>,
    last: Seen,
}

impl Watch {
    /// Reports what differs from `files`, which were read from `paths`.
    pub(crate) fn new(paths: Vec<PathBuf>, files: Vec<File>) -> Self {
        Self {
            paths,
            last: Ok(files),
        }
    }

    /// What was seen last.
    pub(crate) fn last(&self) -> &Seen {
        &self.last
    }

    /// Waits until there is something else than was seen last. May be dropped
    /// while it waits.
    pub(crate) async fn changed(&mut self) {
        let mut candidate = None;
        let mut pause = PAUSE;
        loop {
            tokio::time::sleep(pause).await;
            let begun = Instant::now();
            let seen = look(self.paths.clone()).await;
            pause = PAUSE.max(begun.elapsed() * SHARE);
            if seen == self.last {
                candidate = None;
            } else if candidate.as_ref() == Some(&seen) {
                self.last = seen;
                return;
            } else {
                candidate = Some(seen);
                pause = SETTLE;
            }
        }
    }
}

async fn look(paths: Vec<PathBuf>) -> Seen {
    tokio::task::spawn_blocking(move || files::read(&paths).map_err(|error| error.to_string()))
        .await
        .unwrap_or_else(|error| Err(error.to_string()))
}
