//! Where tokens are between two runs.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use credence_broker::store::{FileStore, MemoryStore};
use credence_broker::{StoreError, Stored, TokenKey, TokenStore, Version};
use credence_core::token::Record;

/// Where the tokens of a session are kept.
#[derive(Debug)]
pub(crate) enum Storage {
    /// In files of this folder.
    Folder(FileStore),
    /// In memory: they end with the process.
    Memory(MemoryStore),
    /// They cannot be, and so none is obtained.
    Nowhere,
}

/// What is said where nothing can be kept.
const NO_FOLDER: &str = "neither XDG_STATE_HOME nor HOME is an absolute path";

/// The folder of this user, by the rules of the XDG Base Directory
/// Specification: paths that are not absolute are ignored.
fn folder(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let absolute = |name| {
        let path = variable(name).map(PathBuf::from);
        path.filter(|path| path.is_absolute())
    };
    let state = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")));
    Some(state?.join("credence/tokens"))
}

impl Storage {
    /// In files of the folder for what programs keep of this user, which is made
    /// when there is something to keep.
    pub(crate) fn of_user() -> Self {
        match folder(|variable| std::env::var_os(variable)) {
            Some(folder) => Self::Folder(FileStore::new(folder)),
            None => Self::Nowhere,
        }
    }

    /// For as long as the process runs.
    pub(crate) fn memory() -> Self {
        Self::Memory(MemoryStore::default())
    }

    /// When the record of a token was last replaced; none where no other process
    /// can do that.
    pub(crate) fn modified(&self, key: &TokenKey) -> Option<SystemTime> {
        match self {
            Self::Folder(files) => files.modified(key),
            Self::Memory(_) | Self::Nowhere => None,
        }
    }

    /// The folder, if there is one.
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            Self::Folder(files) => Some(files.folder()),
            Self::Memory(_) | Self::Nowhere => None,
        }
    }
}

impl TokenStore for Storage {
    async fn load(&self, key: &TokenKey) -> Result<Option<Stored>, StoreError> {
        match self {
            Self::Folder(files) => files.load(key).await,
            Self::Memory(memory) => memory.load(key).await,
            Self::Nowhere => Err(StoreError::Unavailable(NO_FOLDER.to_owned())),
        }
    }

    async fn save(
        &self,
        key: &TokenKey,
        record: &Record,
        expected: Option<&Version>,
    ) -> Result<Version, StoreError> {
        match self {
            Self::Folder(files) => files.save(key, record, expected).await,
            Self::Memory(memory) => memory.save(key, record, expected).await,
            Self::Nowhere => Err(StoreError::Unavailable(NO_FOLDER.to_owned())),
        }
    }

    async fn remove(&self, key: &TokenKey) -> Result<(), StoreError> {
        match self {
            Self::Folder(files) => files.remove(key).await,
            Self::Memory(memory) => memory.remove(key).await,
            Self::Nowhere => Err(StoreError::Unavailable(NO_FOLDER.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_the_users_and_absolute() {
        let of = |variables: &[(&str, &str)]| {
            let variables = variables.to_vec();
            folder(move |name| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| OsString::from(value))
            })
        };
        let home = ("HOME", "/home/u");
        let default = PathBuf::from("/home/u/.local/state/credence/tokens");
        assert_eq!(of(&[home]), Some(default.clone()));
        assert_eq!(
            of(&[home, ("XDG_STATE_HOME", "/s")]),
            Some(PathBuf::from("/s/credence/tokens"))
        );
        for ignored in ["", "state"] {
            assert_eq!(
                of(&[home, ("XDG_STATE_HOME", ignored)]),
                Some(default.clone())
            );
        }
        assert_eq!(of(&[("HOME", "")]), None);
    }
}
