//! `credence-cluster up|down|images|programs`: a real Kubernetes on this machine.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use clap::{Parser, Subcommand};
use credence_tests::images::Archives;
use credence_tests::programs::Programs;
use credence_tests::shop::Shop;
use credence_tests::state::State;
use credence_tests::{Cluster, collect, interrupt, network, packages, teardown};

/// A real Kubernetes 1.36 on this machine, from nothing.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Start one and leave it running; the last two lines say how to reach it.
    Up {
        /// Folder for everything it writes.
        #[arg(long)]
        state: Option<PathBuf>,
        /// Kubernetes alone, without the chart and the demo.
        #[arg(long)]
        bare: bool,
        /// With the images that `images` left, instead of building them.
        #[arg(long)]
        built: bool,
    },
    /// Take down the one on this machine, in whatever state it is.
    Down {
        /// Also clean this folder, when it is not that of the present one.
        #[arg(long)]
        state: Option<PathBuf>,
    },
    /// Build the images into target/images.
    Images,
    /// Build the third-party programs into the cache, which `up` does too.
    Programs,
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(action: Action) -> Result<()> {
    match action {
        Action::Up { state, bare, built } => {
            // Before anything that takes long.
            network::unclaimed()?;
            packages::install()?;
            let archives = if built {
                Archives::built()
            } else {
                Archives::build()
            }?;
            up(&folder(state)?, &archives, bare)
        }
        Action::Down { state } => {
            let begin = Instant::now();
            teardown::down(&folder(state)?)?;
            eprintln!("down in {:.1} s", begin.elapsed().as_secs_f64());
            Ok(())
        }
        Action::Images => {
            packages::install()?;
            for archive in Archives::build()?.files() {
                println!("{}", archive.display());
            }
            Ok(())
        }
        Action::Programs => {
            packages::install()?;
            println!("{}", Programs::get()?.kube("kubectl").display());
            Ok(())
        }
    }
}

fn up(state: &State, archives: &Archives, bare: bool) -> Result<()> {
    interrupt::take_down_on_signal(state.clone())?;
    let cluster = Cluster::up(state, archives)?;
    let memory = collect::memory(state)?;
    let each: Vec<String> = memory
        .iter()
        .map(|(name, kib)| format!("{name} {}", kib / 1024))
        .collect();
    let total: u64 = memory.iter().map(|(_, kib)| kib).sum();
    eprintln!("memory in MiB: {} = {}", each.join(", "), total / 1024);
    if !bare {
        // What has been started stays, for a look at what went wrong.
        Shop::open(&cluster)?;
        eprintln!("the chart is installed and the demo applied");
    }
    println!("KUBECONFIG={}", cluster.kubectl().kubeconfig().display());
    println!("KUBECTL={}", cluster.kubectl().program().display());
    Ok(())
}

fn folder(given: Option<PathBuf>) -> Result<State> {
    match given {
        Some(folder) => State::new(&std::path::absolute(folder)?),
        None => State::standard(),
    }
}
