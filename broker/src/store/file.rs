//! A folder with one file for each token, for a single machine.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use aws_lc_rs::digest::{SHA256, digest};
use credence_core::token::Record;
use zeroize::Zeroizing;

use super::{StoreError, Stored, TokenStore, Version};
use crate::TokenKey;

/// How long others may take for their turns. They write a small file; who takes
/// longer was stopped in the middle of it.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two looks whether it is our turn.
const LOOK: Duration = Duration::from_millis(20);

/// Files that their owner alone can read (mode 0600), in a folder that he alone
/// can enter (0700). They are replaced as a whole, and processes that share the
/// folder take turns. A folder that is another's, or that others can write to,
/// is not used.
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

    /// Makes sure that nobody else decides what is in the folder, if it exists.
    fn check(&self) -> Result<(), Failed> {
        let folder = match fs::metadata(&self.folder) {
            Ok(folder) => folder,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let us = rustix::process::geteuid().as_raw();
        match exposed(folder.mode(), folder.uid(), us) {
            Some(why) => Err(Failed::Exposed(why)),
            None => Ok(()),
        }
    }

    /// Holds others off until it is dropped: comparing and replacing must be
    /// one act.
    fn turn(&self, patience: Duration) -> Result<File, Failed> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.folder)?;
        self.check()?;
        let lock = owned()
            .create(true)
            .truncate(false)
            .open(self.folder.join("lock"))?;
        let began = Instant::now();
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(lock),
                Err(TryLockError::WouldBlock) if began.elapsed() < patience => thread::sleep(LOOK),
                Err(TryLockError::WouldBlock) => return Err(Failed::Busy),
                Err(TryLockError::Error(error)) => return Err(error.into()),
            }
        }
    }

    fn replace(
        &self,
        key: &TokenKey,
        bytes: &[u8],
        expected: Option<&Version>,
    ) -> Result<Version, Failed> {
        let path = self.path(key);
        let _turn = self.turn(PATIENCE)?;
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

#[derive(Debug)]
enum Failed {
    Conflict,
    /// Another process does not end its turn.
    Busy,
    /// Others have a say in the folder; the text is what to do about it.
    Exposed(&'static str),
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
            Failed::Busy => Self::Unavailable(
                "another process holds the folder: is one stopped that uses it?".to_owned(),
            ),
            Failed::Exposed(why) => Self::Unavailable(why.to_owned()),
            // The kind alone: it says what to look for, and holds no path.
            Failed::Io(error) => Self::Unavailable(error.kind().to_string()),
        }
    }
}

/// Why a folder with this mode and owner is not ours alone, if so.
fn exposed(mode: u32, owner: u32, us: u32) -> Option<&'static str> {
    if owner != us {
        return Some("its folder belongs to another user: move it away, or run chown on it");
    }
    let others_can_write = mode & 0o022 != 0;
    others_can_write.then_some("others can write to its folder: run chmod 700 on it")
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
        let (store, path) = (self.clone(), self.path(key));
        let read = off_thread(move || {
            store.check()?;
            Ok(read(&path)?)
        });
        let Some(bytes) = read.await? else {
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
            let _turn = store.turn(PATIENCE)?;
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
    async fn a_folder_that_others_can_write_to_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let store = FileStore::new(folder.path());
        let key = TokenKey::new("uid", credence_core::Environment::Live);
        let mode = |mode| {
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).unwrap();
        };
        let first = store.save(&key, &Record::default(), None).await.unwrap();
        for open in [0o777, 0o1777, 0o770, 0o702] {
            mode(open);
            let why = "others can write to its folder: run chmod 700 on it";
            let refused = StoreError::Unavailable(why.to_owned());
            assert_eq!(store.load(&key).await, Err(refused.clone()), "{open:o}");
            let saved = store.save(&key, &Record::default(), Some(&first)).await;
            assert_eq!(saved, Err(refused.clone()), "{open:o}");
            assert_eq!(store.remove(&key).await, Err(refused), "{open:o}");
        }
        mode(0o700);
        assert_eq!(store.load(&key).await.unwrap().unwrap().version, first);
    }

    #[test]
    fn a_folder_of_another_user_is_not_ours_whatever_its_mode() {
        let why = exposed(0o40700, 1, 1000).unwrap();
        assert!(why.contains("another user"), "{why}");
        assert!(exposed(0o40700, 1000, 0).is_some(), "not even root's");
        assert_eq!(exposed(0o40755, 1000, 1000), None);
    }

    #[test]
    fn a_process_that_was_stopped_in_its_turn_holds_nobody_up_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let store = FileStore::new(folder.path());
        let stopped = store.turn(PATIENCE).unwrap();
        let failed = store.turn(Duration::ZERO).unwrap_err();
        assert!(matches!(failed, Failed::Busy), "{failed:?}");
        drop(stopped);
        assert!(store.turn(Duration::ZERO).is_ok());
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
