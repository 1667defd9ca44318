//! The `credence` command.

use std::io;
use std::process::ExitCode;

use credence_cli::args::CommandLine;
use credence_cli::{Exit, run};

fn main() -> ExitCode {
    match run(CommandLine::read()) {
        Ok(exit) => exit.into(),
        Err(error) => {
            // Whoever closed the pipe has read enough.
            let closed = |cause: &io::Error| cause.kind() == io::ErrorKind::BrokenPipe;
            if !error.downcast_ref().is_some_and(closed) {
                eprintln!("{error:#}");
            }
            Exit::Environment.into()
        }
    }
}
