//! Writing tar archives (POSIX ustar), byte for byte the same for the same
//! input: no times, no owners.

use anyhow::{Context, Result, bail};

const BLOCK: usize = 512;

/// An archive being written, in memory: what we pack is some megabytes.
#[derive(Default)]
pub struct Tar {
    bytes: Vec<u8>,
}

impl Tar {
    /// Adds a folder that everybody may look into.
    ///
    /// # Errors
    /// The name is too long for the format.
    pub fn folder(&mut self, name: &str) -> Result<()> {
        let header = header(&format!("{name}/"), 0, 0o755, b'5')?;
        self.bytes.extend_from_slice(&header);
        Ok(())
    }

    /// Adds a file.
    ///
    /// # Errors
    /// The name or the content is too long for the format.
    pub fn file(&mut self, name: &str, mode: u32, content: &[u8]) -> Result<()> {
        let header = header(name, content.len(), mode, b'0')?;
        self.bytes.extend_from_slice(&header);
        self.bytes.extend_from_slice(content);
        self.bytes
            .resize(self.bytes.len().next_multiple_of(BLOCK), 0);
        Ok(())
    }

    /// The archive with its end mark: two empty blocks.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.bytes.resize(self.bytes.len() + 2 * BLOCK, 0);
        self.bytes
    }
}

fn header(name: &str, size: usize, mode: u32, kind: u8) -> Result<[u8; BLOCK]> {
    let mut header = [0; BLOCK];
    let mut put = |at: usize, text: &str| {
        let field = header
            .get_mut(at..at + text.len())
            .context("a field of the header")?;
        field.copy_from_slice(text.as_bytes());
        anyhow::Ok(())
    };
    if name.len() > 100 {
        bail!("{name}: too long for a tar archive");
    }
    // Eleven octal digits.
    if size >= 1 << 33 {
        bail!("{name}: too big for a tar archive");
    }
    put(0, name)?;
    put(100, &format!("{mode:07o}"))?;
    put(108, "0000000")?;
    put(116, "0000000")?;
    put(124, &format!("{size:011o}"))?;
    put(136, "00000000000")?;
    // The checksum counts its own field as blanks.
    put(148, "        ")?;
    put(257, "ustar\u{0}00")?;
    header[156] = kind;
    let sum: u32 = header.iter().copied().map(u32::from).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    Ok(header)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    #[test]
    fn the_system_s_tar_reads_it() -> Result<()> {
        let mut tar = Tar::default();
        tar.folder("bin")?;
        tar.file("bin/hello", 0o755, &[b'x'; 700])?;
        tar.file("empty", 0o644, b"")?;
        let mut child = Command::new("tar")
            .arg("-tvf-")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        child
            .stdin
            .take()
            .context("piped")?
            .write_all(&tar.finish())?;
        let output = child.wait_with_output()?;
        assert!(output.status.success());
        let listing = String::from_utf8(output.stdout)?;
        let lines: Vec<Vec<&str>> = listing
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        let seen: Vec<(&str, &str, &str)> = lines
            .iter()
            .map(|line| (line[0], line[2], *line.last().unwrap_or(&"")))
            .collect();
        assert_eq!(
            seen,
            [
                ("drwxr-xr-x", "0", "bin/"),
                ("-rwxr-xr-x", "700", "bin/hello"),
                ("-rw-r--r--", "0", "empty")
            ]
        );
        Ok(())
    }

    #[test]
    fn an_overlong_name_is_refused() {
        assert!(Tar::default().file(&"n".repeat(101), 0o644, b"").is_err());
    }
}
