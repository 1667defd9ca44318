//! `credence run`.

use std::io::{self, IsTerminal as _, Write as _};

use anyhow::Context as _;
use credence_broker::hardening;
use tokio::signal::unix::{SignalKind, signal};

use crate::args::RunArgs;
use crate::exit::Exit;
use crate::listening::{self, Listening};
use crate::schema::Schemas;
use crate::session::{Change, Session, StartError};
use crate::source::{Refused, Served, Source};
use crate::table::{self, Paint};
use crate::tokens::news::News;
use crate::tokens::storage::Storage;
use crate::variables::Variables;

/// Serves the collections until a signal says otherwise.
///
/// # Errors
/// When the terminal or the signals cannot be used. What the user can mend is
/// told on standard error and makes the exit status.
pub(crate) async fn run(args: RunArgs) -> anyhow::Result<Exit> {
    hardening::harden().context("cannot shield the memory of this process")?;
    let RunArgs {
        paths,
        environment,
        namespace,
        service_account,
        env_secrets,
        listen,
        admin,
        allow_remote,
        allow_host,
        ephemeral,
        verbose: _,
    } = args;
    let listening = match Listening::of(listen, admin, allow_remote, allow_host) {
        Ok(listening) => listening,
        Err(error) => {
            eprintln!("error: {error}");
            return Ok(Exit::Usage);
        }
    };
    let source = Source {
        paths,
        environment,
        namespace,
        service_account,
        variables: env_secrets.then(Variables::of_process),
        schemas: Schemas::load(),
    };
    let storage = match ephemeral {
        true => Storage::memory(),
        false => Storage::of_user(),
    };
    let shutdown = signals()?;
    let (session, served) = match Session::start(source, &listening, storage) {
        Ok(started) => started,
        Err(error) => return Ok(tell(&error)),
    };
    let paint = paint();
    let base = session.base();
    if let Some(warning) = listening::warning(session.proxy_address()) {
        eprintln!("{} {warning}", paint.bad("warning:"));
    }
    let mut out = io::stdout();
    writeln!(out, "{}", headline(&served, paint))?;
    writeln!(out, "proxy  {base}/")?;
    let admin = session.admin_address();
    writeln!(out, "admin  http://{admin}/  (livez, readyz, metrics)")?;
    write!(out, "\n{}", table::render(&served, &base, paint))?;
    out.flush()?;
    session
        .serve(shutdown, |change| {
            // A closed terminal does not end what is served.
            _ = report(&change, &base, paint);
        })
        .await;
    Ok(Exit::Success)
}

/// The table of what is served now, why the files are not, or what has become
/// of a token.
fn report(change: &Change, base: &str, paint: Paint) -> io::Result<()> {
    let reason = match change {
        Change::Applied(served) => {
            let table = table::render(served, base, paint);
            let headline = headline(served, paint);
            return write!(io::stdout(), "\nreloaded: {headline}\n\n{table}");
        }
        Change::Token(collection, news) => {
            let News { good, text } = news;
            let name = format!("{collection}:");
            return match good {
                true => writeln!(io::stdout(), "{} {text}", paint.good(&name)),
                false => writeln!(io::stderr(), "{} {text}", paint.bad(&name)),
            };
        }
        Change::Refused(refused) => explained(refused),
        Change::Unreadable(error) => error.clone(),
    };
    let verdict = paint.bad("not reloaded: the last good state is still served");
    writeln!(io::stderr(), "{reason}\n{verdict}")
}

fn headline(served: &Served, paint: Paint) -> String {
    let Served {
        namespace,
        environment,
        ..
    } = served;
    paint.bold(&format!("namespace {namespace}, environment {environment}"))
}

fn explained(refused: &Refused) -> String {
    match refused {
        Refused::Problems(problems) => {
            let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
            lines.join("\n")
        }
        Refused::Namespace(ambiguous) => ambiguous.to_string(),
    }
}

/// Says why nothing begins.
pub(crate) fn tell(error: &StartError) -> Exit {
    match error {
        StartError::Refused(refused) => {
            eprintln!("{}", explained(refused));
            match refused {
                Refused::Problems(_) => Exit::Failed,
                Refused::Namespace(_) => Exit::Usage,
            }
        }
        StartError::Read(_)
        | StartError::Egress(_)
        | StartError::Listen(_)
        | StartError::Admin(_) => {
            eprintln!("{error}");
            Exit::Environment
        }
    }
}

/// Colours for a terminal, unless `NO_COLOR` is set (no-color.org).
pub(crate) fn paint() -> Paint {
    let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    if wanted && io::stdout().is_terminal() {
        Paint::Colours
    } else {
        Paint::Plain
    }
}

/// Ready when SIGINT or SIGTERM came. From this call on they end nothing by
/// themselves.
///
/// # Errors
/// When the handlers cannot be installed.
pub(crate) fn signals() -> anyhow::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
