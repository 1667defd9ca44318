//! The HTTP clients that languages bring, with their defaults.

use std::process::Command;

use anyhow::{Result, ensure};
use credence_tests::packages;

use crate::provider::Offer;
use crate::script;
use crate::stage::Stage;

pub(crate) fn default_clients_call_as_they_like(stage: &Stage) -> Result<String> {
    packages::programs(&[("javac", "default-jdk-headless"), ("node", "nodejs")])?;
    packages::go()?;
    let (provider, credence) = stage.with_provider(Offer::Http1)?;
    let mut figures = String::new();
    let clients: [(&str, &[&str], &str); 3] = [
        ("java", &[], "Calls.java"),
        ("go", &["run"], "calls.go"),
        ("node", &[], "calls.mjs"),
    ];
    for (program, arguments, source) in clients {
        let before = provider.state.connections();
        let mut command = Command::new(program);
        command.args(arguments).arg(script::source(source));
        let said = script::run(stage, program, &credence.url("/api"), &mut command)?;
        let opened = provider.state.connections() - before;
        // Each makes its calls one after another.
        ensure!(
            opened <= 1,
            "{program}'s calls took {opened} new connections"
        );
        figures.push_str(&format!("{said}; {opened} new upstream connections\n"));
    }
    ensure!(provider.state.refused() == 0, "the provider refused a call");
    stage.end(credence)?;
    Ok(figures)
}
