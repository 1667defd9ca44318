//! A folder with one file for each token, for a single machine.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use aws_lc_rs::digest::{SHA256, digest};
use credence_core::token::Record;
use zeroize::Zeroizing;

use super::{StoreError, Stored, TokenStore, Version};
use crate::TokenKey;

/// Files that their owner alone can read (mode 0600), in a folder that he alone
/// can enter (0700). They are replaced as a whole, and processes that share the
/// folder take turns.
#[derive(Clone, Debug)]
pub struct FileStore {
    folder: PathBuf,
}

impl FileStore {
    /// The store in this folder, which is made when there is something to keep.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
        }
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// When the record of a token was last replaced, by whichever process; none
    /// where there is no record, or none that can be seen.
    pub fn modified(&self, key: &TokenKey) -> Option<SystemTime> {
        fs::metadata(self.path(key)).ok()?.modified().ok()
    }

    fn path(&self, key: &TokenKey) -> PathBuf {
        self.folder.join(format!("{key}.json"))
    }

    /// Holds others off until it is dropped: comparing and replacing must be
    /// one act.
    fn turn(&self) -> io::Result<File> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.folder)?;
        let lock = owned()
            .create(true)
            .truncate(false)
            .open(self.folder.join("lock"))?;
        lock.lock()?;
        Ok(lock)
    }

    fn replace(
        &self,
        key: &TokenKey,
        bytes: &[u8],
        expected: Option<&Version>,
    ) -> Result<Version, Failed> {
        let path = self.path(key);
        let _turn = self.turn()?;
        let current = read(&path)?.map(|bytes| version(&bytes));
        if current.as_ref() != expected {
            return Err(Failed::Conflict);
        }
        let new = self.folder.join(format!("{key}.new"));
        // What a crash has left.
        remove(&new)?;
        let mut file = owned().create_new(true).open(&new)?;
        file.write_all(bytes)?;
        // The content must be there before the name leads to it, and the name
        // before anybody relies on it.
        file.sync_all()?;
        fs::rename(&new, &path)?;
        File::open(&self.folder)?.sync_all()?;
        Ok(version(bytes))
    }
}

enum Failed {
    Conflict,
    Io(io::Error),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Failed> for StoreError {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Conflict => Self::Conflict,
            // The kind alone: it says what to look for, and holds no path.
            Failed::Io(error) => Self::Unavailable(error.kind().to_string()),
        }
    }
}

fn owned() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    options
}

fn read(path: &Path) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(Zeroizing::new(bytes))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// By content: what was changed and changed back is the same to whoever saw it
/// before.
fn version(bytes: &[u8]) -> Version {
    let digest = digest(&SHA256, bytes);
    let digits = digest.as_ref().iter();
    Version::new(digits.map(|byte| format!("{byte:02x}")).collect::<String>())
}

/// Runs what waits for a disk where that holds up nothing else.
async fn off_thread<T: Send + 'static>(
    act: impl FnOnce() -> Result<T, Failed> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(act).await {
        Ok(result) => result.map_err(StoreError::from),
        Err(_) => Err(StoreError::Unavailable("interrupted".to_owned())),
    }
}

impl TokenStore for FileStore {
    async fn load(&self, key: &TokenKey) -> Result<Option<Stored>, StoreError> {
        let path = self.path(key);
        let Some(bytes) = off_thread(move || Ok(read(&path)?)).await? else {
            return Ok(None);
        };
        let record = Record::of_bytes(&bytes)?;
        let version = version(&bytes);
        Ok(Some(Stored { record, version }))
    }

    async fn save(
        &self,
        key: &TokenKey,
        record: &Record,
        expected: Option<&Version>,
    ) -> Result<Version, StoreError> {
        let (store, key) = (self.clone(), key.clone());
        let (bytes, expected) = (record.to_bytes(), expected.cloned());
        off_thread(move || store.replace(&key, &bytes, expected.as_ref())).await
    }

    async fn remove(&self, key: &TokenKey) -> Result<(), StoreError> {
        let (store, path) = (self.clone(), self.path(key));
        off_thread(move || {
            let _turn = store.turn()?;
            Ok(remove(&path)?)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[tokio::test]
    async fn files_and_folder_are_their_owners_alone() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("state/tokens");
        let store = FileStore::new(&folder);
        let key = TokenKey::new("uid", credence_core::Environment::Live);
        store.save(&key, &Record::default(), None).await.unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        let mut names: Vec<_> = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        names.sort();
        assert_eq!(names, [store.path(&key), folder.join("lock")]);
        for path in names {
            assert_eq!(mode(&path), 0o600, "{}", path.display());
        }
    }

    #[tokio::test]
    async fn a_write_that_a_crash_cut_short_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = FileStore::new(folder.path());
        let key = TokenKey::new("uid", credence_core::Environment::Live);
        let first = store.save(&key, &Record::default(), None).await.unwrap();
        fs::write(folder.path().join(format!("{key}.new")), "{\"gener").unwrap();
        let loaded = store.load(&key).await.unwrap().unwrap();
        assert_eq!(
            (loaded.record, &loaded.version),
            (Record::default(), &first)
        );
        let next = Record {
            generation: 1,
            ..Record::default()
        };
        store.save(&key, &next, Some(&first)).await.unwrap();
        assert_eq!(store.load(&key).await.unwrap().unwrap().record, next);
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_an_error_and_no_empty_record() {
        let folder = tempfile::tempdir().unwrap();
        let store = FileStore::new(folder.path());
        let key = TokenKey::new("uid", credence_core::Environment::Live);
        fs::write(store.path(&key), "{}").unwrap();
        let loaded = store.load(&key).await;
        assert!(
            matches!(loaded, Err(StoreError::Unreadable(_))),
            "{loaded:?}"
        );
    }
}
