//! The `credence` binary, seen from outside: its output, its exit status and
//! what goes over its sockets.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "cli/account.rs"]
mod account;
#[path = "cli/api_server.rs"]
mod api_server;
#[path = "cli/call.rs"]
mod call;
#[path = "cli/cluster.rs"]
mod cluster;
#[path = "cli/command.rs"]
mod command;
#[path = "cli/demo.rs"]
mod demo;
#[path = "cli/docs.rs"]
mod docs;
#[path = "cli/expiry.rs"]
mod expiry;
#[path = "cli/flags.rs"]
mod flags;
#[path = "cli/folder.rs"]
mod folder;
#[path = "cli/https.rs"]
mod https;
#[path = "cli/inject.rs"]
mod inject;
#[path = "cli/issuer.rs"]
mod issuer;
#[path = "cli/lint.rs"]
mod lint;
#[path = "cli/lint_json.rs"]
mod lint_json;
#[path = "cli/ports.rs"]
mod ports;
#[path = "cli/provider.rs"]
mod provider;
#[path = "cli/run.rs"]
mod run;
#[path = "cli/token.rs"]
mod token;
#[path = "cli/tokens.rs"]
mod tokens;
