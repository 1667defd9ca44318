//! Container images without Docker: a static binary in a docker-archive.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use aws_lc_rs::digest::{SHA256, digest};
use serde_json::json;

use crate::tar::Tar;

/// The sandbox of every pod.
pub const PAUSE: &str = "localhost/credence/pause:dev";
/// The product's sidecar, named as the chart names it by default.
pub const SIDECAR: &str = concat!("localhost/credence/sidecar:", env!("CARGO_PKG_VERSION"));
/// The product's operator, likewise.
pub const OPERATOR: &str = concat!("localhost/credence/operator:", env!("CARGO_PKG_VERSION"));
/// The tests' app and provider.
pub const PROBE: &str = "localhost/credence/probe:dev";

/// An image of one file.
pub struct Image<'a> {
    /// Its reference, with a tag.
    pub name: &'a str,
    /// User and group of its process: a number, so that Kubernetes can see
    /// that it is not root.
    pub user: u32,
    /// The static binary on this machine.
    pub binary: &'a Path,
    /// Where it lies in the image; also the entry point.
    pub at: &'a str,
}

impl Image<'_> {
    /// Writes the image as a docker-archive, for `docker load` and
    /// `ctr images import`. The same binary gives the same bytes.
    ///
    /// # Errors
    /// The binary cannot be read or the archive not be written.
    pub fn write(&self, archive: &Path) -> Result<()> {
        let binary =
            fs::read(self.binary).with_context(|| format!("reading {}", self.binary.display()))?;
        let bytes = self.pack(&binary)?;
        if let Some(folder) = archive.parent() {
            fs::create_dir_all(folder)?;
        }
        // Renamed into place: nobody imports half an archive.
        let draft: PathBuf = archive.with_extension("draft");
        fs::write(&draft, bytes)?;
        fs::rename(draft, archive).with_context(|| format!("writing {}", archive.display()))
    }

    fn pack(&self, binary: &[u8]) -> Result<Vec<u8>> {
        let mut layer = Tar::default();
        let inside = self.at.trim_start_matches('/');
        for (end, _) in inside.match_indices('/') {
            layer.folder(&inside[..end])?;
        }
        layer.file(inside, 0o755, binary)?;
        let layer = layer.finish();
        let user = self.user;
        let config = json!({
            "architecture": "amd64",
            "os": "linux",
            "config": {"Entrypoint": [self.at], "User": format!("{user}:{user}"), "WorkingDir": "/"},
            "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{}", sha256(&layer))]},
            "history": [{"created_by": "credence"}],
        })
        .to_string();
        let config_file = format!("{}.json", sha256(config.as_bytes()));
        let manifest =
            json!([{"Config": config_file, "RepoTags": [self.name], "Layers": ["layer.tar"]}])
                .to_string();
        let mut archive = Tar::default();
        archive.file(&config_file, 0o644, config.as_bytes())?;
        archive.file("layer.tar", 0o644, &layer)?;
        archive.file("manifest.json", 0o644, manifest.as_bytes())?;
        Ok(archive.finish())
    }
}

fn sha256(bytes: &[u8]) -> String {
    digest(&SHA256, bytes)
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_binary_gives_the_same_archive() -> Result<()> {
        let image = Image {
            name: "localhost/x:1",
            user: 7,
            binary: Path::new("/x"),
            at: "/usr/bin/x",
        };
        let archive = image.pack(b"binary")?;
        assert_eq!(archive, image.pack(b"binary")?);
        assert_ne!(archive, image.pack(b"another")?);
        Ok(())
    }

    #[test]
    fn digests_are_spelled_as_docker_spells_them() {
        assert_eq!(
            sha256(b""),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }
}
