//! The `credence` command: collections, and pods for them, without a cluster; and
//! a look at what is on one.
//!
//! ```text
//! files ─► yaml ─► object ─► inventory ─┬─► plan ─► bundle ─► the sidecar's proxy   (run, demo)
//!                    ▲                  └─► problems with file, line and field      (lint)
//!             schema and rules
//! files ─► yaml ─► templates of pods ─► the operator's injector ─► files   (inject)
//! ```
//!
//! From the bundle on it is the code of the sidecar, and up to it that of the
//! operator: the kind's schema and rules, its conversion and its resolution.
//! Only the reading of files, and the positions in them, are of this crate; and
//! `check`, `token` and `call`, which ask what is there already.

pub mod args;
mod call;
mod check;
mod demo;
mod exit;
mod files;
mod inject;
mod inventory;
mod kubeconfig;
mod lint;
mod list;
mod listening;
mod logs;
mod object;
mod places;
mod plan;
mod position;
mod problem;
mod run;
mod schema;
mod session;
mod source;
mod table;
mod token;
mod tokens;
mod variables;
mod watch;
mod yaml;

use std::io;

use anyhow::Context as _;
use args::{Command, CommandLine};

pub use exit::Exit;

/// Does what the command line says.
///
/// # Errors
/// What the machine refuses and nothing else explains.
pub fn run(command_line: CommandLine) -> anyhow::Result<Exit> {
    logs::init(match &command_line.command {
        Command::Run(args) => args.verbose,
        Command::Lint(_)
        | Command::Demo(_)
        | Command::Inject(_)
        | Command::Call(_)
        | Command::Token(_)
        | Command::Check(_) => 0,
    });
    match command_line.command {
        Command::Lint(args) => lint::run(&args, &mut io::stdout(), &mut io::stderr()),
        Command::Inject(args) => inject::run(&args, &mut io::stdout(), &mut io::stderr()),
        Command::Run(args) => runtime()?.block_on(run::run(args)),
        Command::Demo(args) => runtime()?.block_on(demo::run(args)),
        Command::Call(args) => runtime()?.block_on(call::run(&args, &mut io::stdout())),
        Command::Token(args) => runtime()?.block_on(token::run(&args, &mut io::stdout())),
        Command::Check(args) => runtime()?.block_on(check::run(&args, &mut io::stdout())),
    }
}

/// One thread, as in the sidecar.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")
}
