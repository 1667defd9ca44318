//! Flags, from the command lines themselves.

use clap::{Arg, Command};

/// Spelling, default, and what it does.
pub(crate) type Row = [String; 3];

/// The flags and arguments of a command, without help and version.
pub(crate) fn flags(command: &Command) -> Vec<Row> {
    let named = |arg: &&Arg| !matches!(arg.get_id().as_str(), "help" | "version");
    command.get_arguments().filter(named).map(row).collect()
}

fn row(arg: &Arg) -> Row {
    let value = arg
        .get_value_names()
        .filter(|value| arg.get_action().takes_values() && !value.is_empty())
        .map(|names| {
            names
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(" ")
        });
    let mut spelled = Vec::new();
    spelled.extend(arg.get_short().map(|short| format!("-{short}")));
    spelled.extend(arg.get_long().map(|long| format!("--{long}")));
    let mut spelled = spelled.join(", ");
    if let Some(value) = value {
        let gap = if spelled.is_empty() { "" } else { " " };
        spelled = format!("{spelled}{gap}{value}");
    }
    let defaults = arg.get_default_values().iter();
    let mut default = defaults
        .filter(|_| arg.get_action().takes_values())
        .map(|value| format!("`{}`", value.to_string_lossy()))
        .collect::<Vec<_>>()
        .join(" ");
    if let Some(variable) = arg.get_env() {
        default = format!("variable `{}`", variable.to_string_lossy());
    } else if arg.is_required_set() {
        "required".clone_into(&mut default);
    }
    let mut help = arg
        .get_long_help()
        .or_else(|| arg.get_help())
        .map(ToString::to_string)
        .unwrap_or_default()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    let choices: Vec<String> = arg
        .get_possible_values()
        .iter()
        .filter(|_| arg.get_action().takes_values())
        .map(|value| format!("`{}`", value.get_name()))
        .collect();
    if !choices.is_empty() {
        help = format!("{}: {}.", help.trim_end_matches('.'), choices.join(" or "));
    } else if !help.ends_with('.') && !help.ends_with(']') {
        help.push('.');
    }
    [format!("`{spelled}`"), default, help]
}
