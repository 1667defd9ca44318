//! The manifests' files.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

/// Larger files are no manifests: an API server takes 3 MiB at most.
const MAX_SIZE: u64 = 16 * 1024 * 1024;

/// One file, read as a whole.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct File {
    /// The path as it was given, or found below one that was.
    pub(crate) path: Arc<str>,
    /// Its bytes, which may hold Secrets.
    pub(crate) content: Zeroizing<Vec<u8>>,
}

/// A path could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// The operating system refused.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// What was to be read.
        path: PathBuf,
        /// Why it was not.
        source: io::Error,
    },
    /// Far above what an API server takes.
    #[error("{} is larger than 16 MiB: this is no manifest", .0.display())]
    TooLarge(PathBuf),
}

/// Reads the given files, and below the given folders every `*.yaml`, `*.yml`
/// and `*.json` whose name, and whose folders' names, do not begin with a dot.
/// Symbolic links are followed, as mounted ConfigMaps need it.
///
/// # Errors
/// When a given path does not exist, or something that was found cannot be
/// read. What vanishes while it is read was not there.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Vec<File>, ReadError> {
    let mut found = Vec::new();
    for path in paths {
        let metadata = fs::metadata(path).map_err(|source| io_error(path, source))?;
        if metadata.is_dir() {
            descend(path, &mut HashSet::new(), &mut found)?;
        } else {
            found.push(path.clone());
        }
    }
    found.sort();
    found.dedup();
    let mut files = Vec::new();
    for path in found {
        match content(&path) {
            Ok(content) => files.push(File {
                path: path.to_string_lossy().into(),
                content,
            }),
            Err(ReadError::Io { source, .. })
                if source.kind() == io::ErrorKind::NotFound && !paths.contains(&path) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(files)
}

fn io_error(path: &Path, source: io::Error) -> ReadError {
    ReadError::Io {
        path: path.to_owned(),
        source,
    }
}

fn content(path: &Path) -> Result<Zeroizing<Vec<u8>>, ReadError> {
    let size = fs::metadata(path)
        .map_err(|source| io_error(path, source))?
        .len();
    if size > MAX_SIZE {
        return Err(ReadError::TooLarge(path.to_owned()));
    }
    fs::read(path)
        .map(Zeroizing::new)
        .map_err(|source| io_error(path, source))
}

/// `seen` holds the real folders on the way, so that a link to one of them
/// ends the descent.
fn descend(
    folder: &Path,
    seen: &mut HashSet<PathBuf>,
    found: &mut Vec<PathBuf>,
) -> Result<(), ReadError> {
    let real = fs::canonicalize(folder).map_err(|source| io_error(folder, source))?;
    if !seen.insert(real.clone()) {
        return Ok(());
    }
    let entries = fs::read_dir(folder).map_err(|source| io_error(folder, source))?;
    for entry in entries {
        let path = entry.map_err(|source| io_error(folder, source))?.path();
        let hidden = path
            .file_name()
            .is_none_or(|name| name.to_string_lossy().starts_with('.'));
        // A link that leads nowhere is not there.
        let Some(metadata) = fs::metadata(&path).ok().filter(|_| !hidden) else {
            continue;
        };
        if metadata.is_dir() {
            descend(&path, seen, found)?;
        } else if metadata.is_file() && is_manifest(&path) {
            found.push(path);
        }
    }
    seen.remove(&real);
    Ok(())
}

fn is_manifest(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "yaml" || extension == "yml" || extension == "json")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn names(paths: &[PathBuf], root: &Path) -> Vec<String> {
        let prefix = format!("{}/", root.display());
        let files = read(paths).unwrap();
        let path = |file: &File| file.path.trim_start_matches(&prefix).to_owned();
        files.iter().map(path).collect()
    }

    #[test]
    fn folders_are_read_recursively_without_dotfiles_and_other_files() {
        let root = tempfile::tempdir().unwrap();
        for file in [
            "b.yml",
            "a.yaml",
            "c.json",
            "d.txt",
            ".e.yaml",
            "sub/f.yaml",
            ".git/g.yaml",
        ] {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "{}").unwrap();
        }
        let paths = [root.path().to_owned(), root.path().join("a.yaml")];
        assert_eq!(
            names(&paths, root.path()),
            ["a.yaml", "b.yml", "c.json", "sub/f.yaml"]
        );
        assert_eq!(names(&[root.path().join("d.txt")], root.path()), ["d.txt"]);
    }

    #[test]
    fn links_are_followed_and_loops_end() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        fs::create_dir(path("..2026")).unwrap();
        fs::write(path("..2026/a.yaml"), "a: 1").unwrap();
        symlink("..2026", path("..data")).unwrap();
        symlink("..data/a.yaml", path("a.yaml")).unwrap();
        symlink(".", path("loop")).unwrap();
        symlink("nowhere", path("gone.yaml")).unwrap();
        let files = read(&[root.path().to_owned()]).unwrap();
        assert_eq!(files.len(), 1);
        assert_eq!(*files[0].content, b"a: 1");
    }

    #[test]
    fn a_given_path_must_exist() {
        let error = read(&["does/not/exist.yaml".into()]).err().unwrap();
        let told = error.to_string();
        assert!(
            told.starts_with("cannot read does/not/exist.yaml: "),
            "{told}"
        );
    }
}
