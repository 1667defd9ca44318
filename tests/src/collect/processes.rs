//! What the processes in pods were given, and what ours see of files.

use std::fs;
use std::path::Path;

use anyhow::Result;

use super::{Collection, below};
use crate::cgroups;
use crate::process::Process;

const OURS: [&str; 2] = ["credence-sidecar", "credence-operator"];

/// Our files are small; what is larger is the program itself.
const LARGEST: u64 = 1024 * 1024;

impl Collection<'_> {
    /// Each one's environment and arguments; and of ours, all files.
    pub(super) fn processes(&self) -> Result<()> {
        for process in cgroups::processes()?
            .iter()
            .filter(|process| process.is_running())
        {
            for what in ["environ", "cmdline"] {
                // It may end in this moment.
                let Ok(content) = fs::read(format!("/proc/{}/{what}", process.id())) else {
                    continue;
                };
                let name = format!("processes/{}.{what}", process.id());
                self.write(&name, &lines(content))?;
            }
        }
        for program in OURS {
            for process in cgroups::running(program)? {
                self.container(&process)?;
            }
        }
        Ok(())
    }

    /// The files of its container, without what the kernel makes up.
    fn container(&self, process: &Process) -> Result<()> {
        let root = format!("/proc/{}/root", process.id());
        for entry in fs::read_dir(&root).into_iter().flatten().flatten() {
            let top = entry.file_name();
            if ["proc", "sys", "dev"].iter().any(|kernel| top == *kernel) {
                continue;
            }
            let path = entry.path();
            let files = if path.is_dir() {
                below(&path)
            } else {
                vec![path]
            };
            for file in files {
                self.container_file(process, Path::new(&root), &file)?;
            }
        }
        Ok(())
    }

    fn container_file(&self, process: &Process, root: &Path, file: &Path) -> Result<()> {
        let small = fs::metadata(file).is_ok_and(|metadata| metadata.len() <= LARGEST);
        if let (true, Ok(content)) = (small, fs::read(file)) {
            let inside = file.strip_prefix(root)?.display();
            self.write(&format!("containers/{}/{inside}", process.id()), &content)?;
        }
        Ok(())
    }
}

/// Zero bytes part the entries of `environ` and `cmdline`.
fn lines(mut content: Vec<u8>) -> Vec<u8> {
    for byte in content.iter_mut().filter(|byte| **byte == 0) {
        *byte = b'\n';
    }
    content
}
