//! The programs that the harness starts, and ending them.
//!
//! A process is recorded as its id and its start time, so that a later
//! clean-up never ends a stranger that was given the same id.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use std::os::unix::process::CommandExt as _;

use anyhow::{Context, Result, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

use crate::state::{State, change};

/// How long a killed process may need to be gone: only the kernel's work.
const GONE: Duration = Duration::from_secs(10);

/// One process on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    name: String,
    pid: Pid,
    started: u64,
}

impl Process {
    /// Starts `command` apart from the terminal, its output going to its log,
    /// and records it in the state folder.
    ///
    /// # Errors
    /// The program cannot be started or the record not be written.
    pub fn start(state: &State, name: &str, command: &mut Command) -> Result<Self> {
        let _change = change();
        let log = state.log(name);
        fs::create_dir_all(state.path("log"))?;
        fs::create_dir_all(state.path("processes"))?;
        let output = File::options().create(true).append(true).open(&log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            // A group of its own: Ctrl-C in the terminal must reach the
            // harness, which then takes things down in order.
            .process_group(0)
            .spawn()
            .with_context(|| format!("starting {name}"))?;
        let process =
            Self::of(name, child.id())?.with_context(|| format!("{name} ended at once"))?;
        fs::write(
            state.path("processes").join(name),
            format!("{} {}\n", process.pid.as_raw_nonzero(), process.started),
        )?;
        Ok(process)
    }

    /// What was recorded in a state folder, whether it still runs or not.
    ///
    /// # Errors
    /// A record cannot be read.
    pub fn recorded(state: &State) -> Result<Vec<Self>> {
        let mut processes = Vec::new();
        let Ok(folder) = fs::read_dir(state.path("processes")) else {
            return Ok(processes);
        };
        for entry in folder {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let record = fs::read_to_string(entry.path())?;
            // A record that is cut short was being written when its writer
            // died; `strays` finds what it was about.
            let mut numbers = record.split_whitespace();
            let (Some(pid), Some(started)) = (numbers.next(), numbers.next()) else {
                continue;
            };
            let Some(pid) = pid.parse().ok().and_then(Pid::from_raw) else {
                continue;
            };
            let Ok(started) = started.parse() else {
                continue;
            };
            processes.push(Self { name, pid, started });
        }
        processes.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(processes)
    }

    /// The process with this id, if there is one.
    ///
    /// # Errors
    /// The id is out of range.
    pub fn of(name: &str, pid: u32) -> Result<Option<Self>> {
        let pid = i32::try_from(pid)
            .ok()
            .and_then(Pid::from_raw)
            .context("a process id")?;
        Ok(Status::read(pid).map(|status| Self {
            name: name.to_owned(),
            pid,
            started: status.started,
        }))
    }

    /// The program's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Whether it still runs (one that ended but was not collected by its
    /// parent does not).
    #[must_use]
    pub fn is_running(&self) -> bool {
        Status::read(self.pid).is_some_and(|status| status.started == self.started && !status.ended)
    }

    /// Resident memory in KiB, 0 when it has ended.
    #[must_use]
    pub fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap_or_default();
        status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
            .unwrap_or(0)
    }
}

/// A process that stands still until this is dropped.
#[must_use = "dropping it lets the process go on"]
pub struct Paused(Process);

impl Paused {
    /// Stops a process where it stands (SIGSTOP).
    ///
    /// # Errors
    /// It has ended.
    pub fn new(process: &Process) -> Result<Self> {
        kill_process(process.pid, Signal::STOP).context("pausing a process")?;
        Ok(Self(process.clone()))
    }
}

impl Drop for Paused {
    fn drop(&mut self) {
        if self.0.is_running() {
            // It may have ended in between.
            let _ = kill_process(self.0.pid, Signal::CONT);
        }
    }
}

/// Kills the processes and returns when all are gone. There is nothing to save
/// in what the harness runs, so nobody is asked politely: the API server alone
/// would take seconds.
///
/// # Errors
/// One of them is still there after ten seconds.
pub fn kill(processes: &[Process]) -> Result<()> {
    let mut dying = Vec::new();
    for process in processes.iter().filter(|process| process.is_running()) {
        // Opened before the start time is compared again, the descriptor
        // means this very process from here on.
        let Ok(descriptor) = pidfd_open(process.pid, PidfdFlags::empty()) else {
            continue;
        };
        if !process.is_running() {
            continue;
        }
        // It may have ended in between, which is what we want.
        let _ = kill_process(process.pid, Signal::KILL);
        dying.push((process, descriptor));
    }
    for (process, descriptor) in dying {
        let patience = Timespec {
            tv_sec: i64::try_from(GONE.as_secs())?,
            tv_nsec: 0,
        };
        let mut watched = [PollFd::new(&descriptor, PollFlags::IN)];
        if poll(&mut watched, Some(&patience))? == 0 {
            bail!("{} (process {}) does not end", process.name, process.id());
        }
    }
    Ok(())
}

/// Processes started by containerd on behalf of this cluster: shims and runc
/// name the state folder in their arguments.
///
/// # Errors
/// `/proc` cannot be read.
pub fn strays(state: &State) -> Result<Vec<Process>> {
    let root = state.root().display().to_string();
    let mut found = Vec::new();
    for pid in all()? {
        let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let mut arguments = arguments
            .split(|byte| *byte == 0)
            .map(String::from_utf8_lossy);
        let Some(program) = arguments.next() else {
            continue;
        };
        let name = Path::new(program.as_ref())
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let ours = name == "runc" || name.starts_with("containerd");
        if ours && arguments.any(|argument| argument.contains(&root)) {
            found.extend(Process::of(&name, pid)?);
        }
    }
    Ok(found)
}

/// The ids of all processes.
///
/// # Errors
/// `/proc` cannot be read.
pub fn all() -> Result<Vec<u32>> {
    let mut ids = Vec::new();
    for entry in fs::read_dir("/proc")? {
        ids.extend(entry?.file_name().to_string_lossy().parse::<u32>());
    }
    Ok(ids)
}

struct Status {
    started: u64,
    ended: bool,
}

impl Status {
    fn read(pid: Pid) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
        Self::parse(&text)
    }

    /// proc(5): the state is field 3 and the start time field 22; field 2 is
    /// the name in parentheses and may itself hold spaces and parentheses.
    fn parse(text: &str) -> Option<Self> {
        let (_, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        Some(Self {
            started: fields.get(19)?.parse().ok()?,
            ended: matches!(*fields.first()?, "Z" | "X"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_time_is_found_behind_an_odd_name() {
        let fields = "S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 98765 1 2";
        let status = Status::parse(&format!("12 (a) b (c) {fields}"));
        assert_eq!(
            status.map(|status| (status.started, status.ended)),
            Some((98765, false))
        );
    }

    #[test]
    fn a_killed_child_is_gone_and_killing_it_again_is_nothing() -> Result<()> {
        let mut child = Command::new("sleep").arg("60").spawn()?;
        let process = Process::of("sleep", child.id())?.context("runs")?;
        assert!(process.is_running());
        kill(std::slice::from_ref(&process))?;
        assert!(!process.is_running());
        kill(&[process])?;
        child.wait()?;
        Ok(())
    }

    #[test]
    fn a_process_with_the_same_id_but_another_start_is_a_stranger() -> Result<()> {
        let mut me = Process::of("me", std::process::id())?.context("runs")?;
        me.started += 1;
        assert!(!me.is_running());
        kill(&[me])
    }
}
