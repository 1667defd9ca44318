//! The `credence` command.

use std::process::ExitCode;

use clap::Parser as _;
use credence_cli::args::CommandLine;
use credence_cli::{Exit, run};

fn main() -> ExitCode {
    match run(CommandLine::parse()) {
        Ok(exit) => exit.into(),
        Err(error) => {
            eprintln!("{error:#}");
            Exit::Environment.into()
        }
    }
}
