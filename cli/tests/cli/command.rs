//! Starts the binary and listens to it.

use std::fs;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Far above what anything here takes; reached only by what hangs.
const PATIENCE: Duration = Duration::from_secs(60);

fn credence() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_credence"));
    command.env_remove("NO_COLOR").stdin(Stdio::null());
    command
}

/// Runs the binary to its end, in a folder.
pub(crate) fn output(folder: &Path, arguments: &[&str]) -> Output {
    output_with(folder, arguments, &[])
}

/// The same, with variables set.
pub(crate) fn output_with(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = credence();
    command.args(arguments).envs(variables.iter().copied());
    command.current_dir(folder).output().unwrap()
}

/// The same, with something on its standard input.
pub(crate) fn output_of(folder: &Path, arguments: &[&str], input: &str) -> Output {
    let mut command = credence();
    command.args(arguments).current_dir(folder);
    command.stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    match stdin.write_all(input.as_bytes()) {
        // Who refuses its arguments may have ended before.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
        written => written.unwrap(),
    }
    drop(stdin);
    child.wait_with_output().unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What a process has printed so far.
#[derive(Default)]
struct Printed {
    lines: Mutex<String>,
    more: Condvar,
}

/// The binary, running; ended when it is dropped.
pub(crate) struct Running {
    child: Child,
    printed: Arc<Printed>,
}

impl Running {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_with(arguments, &[])
    }

    fn start_with(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = credence();
        command.args(arguments).envs(variables.iter().copied());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let printed = Arc::new(Printed::default());
        collect(child.stdout.take().unwrap(), &printed);
        collect(child.stderr.take().unwrap(), &printed);
        Self { child, printed }
    }

    /// `credence run` on ports that the system chooses.
    pub(crate) fn serve(folder: &Path, arguments: &[&str]) -> Self {
        Self::serve_with(folder, arguments, &[])
    }

    /// The same, with variables set.
    pub(crate) fn serve_with(
        folder: &Path,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        let mut all = vec!["run", folder.to_str().unwrap(), "--admin", "127.0.0.1:0"];
        if !arguments.contains(&"--listen") {
            all.extend(["--listen", "127.0.0.1:0"]);
        }
        all.extend(arguments);
        Self::start_with(&all, variables)
    }

    /// Everything that was printed, as soon as it holds `part`.
    pub(crate) fn wait_for(&self, part: &str) -> String {
        let lines = self.printed.lines.lock().unwrap();
        let (lines, timeout) = self
            .printed
            .more
            .wait_timeout_while(lines, PATIENCE, |lines| !lines.contains(part))
            .unwrap();
        assert!(!timeout.timed_out(), "no \"{part}\" in:\n{lines}");
        lines.clone()
    }

    pub(crate) fn printed(&self) -> String {
        self.printed.lines.lock().unwrap().clone()
    }

    /// The address that it says behind a word such as `proxy`.
    pub(crate) fn address(&self, word: &str) -> SocketAddr {
        let printed = self.wait_for("   STATE");
        let line = printed.lines().find(|line| line.starts_with(word)).unwrap();
        let port = line.split(':').nth(2).unwrap().split('/').next().unwrap();
        SocketAddr::from(([127, 0, 0, 1], port.parse().unwrap()))
    }

    /// What the kernel says of it, such as `limits`.
    pub(crate) fn told(&self, what: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{what}", self.child.id())).unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).unwrap();
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Also when a test fails; one that has ended cannot be killed.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

fn collect(from: impl Read + Send + 'static, printed: &Arc<Printed>) {
    let printed = printed.clone();
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines() {
            let Ok(line) = line else { return };
            let mut lines = printed.lines.lock().unwrap();
            lines.push_str(&line);
            lines.push('\n');
            printed.more.notify_all();
        }
    });
}

/// One request as an app sends it; the whole answer.
pub(crate) fn get(proxy: SocketAddr, path: &str) -> String {
    get_as("localhost", proxy, path)
}

/// One request that calls the proxy by this name.
pub(crate) fn get_as(host: &str, proxy: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(proxy).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let port = proxy.port();
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Asks again and again until the answer holds `part`.
pub(crate) fn get_until(proxy: SocketAddr, path: &str, part: &str) -> Duration {
    let begun = Instant::now();
    loop {
        let answer = get(proxy, path);
        if answer.contains(part) {
            return begun.elapsed();
        }
        assert!(begun.elapsed() < PATIENCE, "never \"{part}\":\n{answer}");
    }
}

/// Fails when a secret, plain or in a common encoding, is in a text.
pub(crate) fn assert_silent(text: &str, secrets: &[&str]) {
    let found = credence_leaks::found(text, secrets).unwrap();
    assert!(found.is_empty(), "a secret was printed, {found:?}:\n{text}");
}
