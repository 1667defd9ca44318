//! Where files are, whatever the command line calls them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::files::ReadError;

/// The paths of a command line, each with the folder or file that it leads to.
/// They are looked up once: a token belongs to a manifest for as long as a
/// process runs, also while an editor replaces the file.
#[derive(Clone, Debug)]
pub(crate) struct Places(Vec<(PathBuf, PathBuf)>);

impl Places {
    /// Of paths as they were given.
    ///
    /// # Errors
    /// When one does not exist.
    pub(crate) fn of(paths: &[PathBuf]) -> Result<Self, ReadError> {
        let places = paths.iter().map(|path| match real(path) {
            Ok(real) => Ok((path.clone(), real)),
            Err(source) => Err(ReadError::Io {
                path: path.clone(),
                source,
            }),
        });
        Ok(Self(places.collect::<Result<_, _>>()?))
    }

    /// The same for every way that leads to a file: `shop/api.yaml`,
    /// `../x/shop/api.yaml` and a link to the folder.
    pub(crate) fn of_file(&self, file: &str) -> PathBuf {
        let found = self.0.iter().find_map(|(given, real)| {
            let rest = Path::new(file).strip_prefix(given).ok()?;
            Some(match rest.as_os_str().is_empty() {
                true => real.clone(),
                false => real.join(rest),
            })
        });
        found.unwrap_or_else(|| PathBuf::from(file))
    }
}

/// Links are followed up to a file, and not the one that a file may be: where a
/// ConfigMap is mounted, that one leads elsewhere after each change.
fn real(path: &Path) -> io::Result<PathBuf> {
    match (path.is_dir(), path.parent(), path.file_name()) {
        (false, Some(parent), Some(name)) => {
            let parent = match parent.as_os_str().is_empty() {
                true => Path::new("."),
                false => parent,
            };
            Ok(fs::canonicalize(parent)?.join(name))
        }
        _ => fs::canonicalize(path),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn every_way_to_a_file_leads_to_one_place() {
        let folder = tempfile::tempdir().unwrap();
        let real = fs::canonicalize(folder.path()).unwrap();
        let shop = real.join("shop");
        fs::create_dir_all(shop.join("deep")).unwrap();
        fs::write(shop.join("deep/api.yaml"), "").unwrap();
        symlink(&shop, real.join("link")).unwrap();
        let expected = shop.join("deep/api.yaml");
        for given in [
            shop.clone(),
            shop.join("deep"),
            shop.join("deep/api.yaml"),
            shop.join("deep/../deep"),
            real.join("link"),
        ] {
            let places = Places::of(std::slice::from_ref(&given)).unwrap();
            let file = match given.is_dir() {
                false => given.clone(),
                true if given.join("api.yaml").exists() => given.join("api.yaml"),
                true => given.join("deep/api.yaml"),
            };
            assert_eq!(places.of_file(file.to_str().unwrap()), expected);
        }
    }

    #[test]
    fn a_file_that_is_a_link_is_itself() {
        let folder = tempfile::tempdir().unwrap();
        let real = fs::canonicalize(folder.path()).unwrap();
        fs::write(real.join("first"), "").unwrap();
        symlink("first", real.join("api.yaml")).unwrap();
        let path = real.join("api.yaml");
        let places = Places::of(std::slice::from_ref(&path)).unwrap();
        assert_eq!(places.of_file(path.to_str().unwrap()), path);
    }
}
