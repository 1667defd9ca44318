//! What `credence run` keeps.

use credence_broker::{Outcome, State, StoreError, TokenStore as _};
use credence_core::token::decide::wanted;
use credence_core::token::told::in_seconds;
use credence_core::token::{Jitter, Record, Terms};
use credence_crds::TokenStatus;
use jiff::Timestamp;

use super::report::{Report, Told};
use crate::args::TokenArgs;
use crate::files;
use crate::places::Places;
use crate::plan::Row;
use crate::schema::Schemas;
use crate::session::StartError;
use crate::source::Source;
use crate::tokens::news::explained;
use crate::tokens::storage::Storage;
use crate::tokens::token_key;
use crate::variables::Variables;

/// Nothing can be said.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unknown {
    /// The files cannot be read, or not be served.
    #[error(transparent)]
    Start(#[from] StartError),
    /// There is no such collection.
    #[error("there is no collection \"{name}\" for namespace {namespace} in these files")]
    Absent {
        /// What was asked for.
        name: String,
        /// As whose call.
        namespace: String,
    },
    /// Its method obtains none.
    #[error("{name} needs no token: its method is {method}")]
    Needless {
        /// Which collection.
        name: String,
        /// Its method.
        method: &'static str,
    },
    /// Its token cannot be ordered.
    #[error("{name}: {word}\n  {advice}")]
    Unresolved {
        /// Which collection.
        name: String,
        /// In a word.
        word: String,
        /// What is to be done.
        advice: String,
    },
    /// The state folder cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Of the collection in the files.
///
/// # Errors
/// [`Unknown`].
pub(super) async fn report(args: &TokenArgs) -> Result<Report, Unknown> {
    let source = Source {
        paths: args.files.clone(),
        environment: args.environment,
        namespace: args.namespace.clone(),
        service_account: "default".to_owned(),
        variables: args.env_secrets.then(Variables::of_process),
        schemas: Schemas::load(),
    };
    let now = Timestamp::now();
    let files = files::read(&source.paths).map_err(StartError::from)?;
    let places = Places::of(&source.paths).map_err(StartError::from)?;
    let served = source.read(&files, 0, now).map_err(StartError::from)?;
    let name = &args.collection;
    let Some(ordered) = served.plan.orders.get(name) else {
        let row = served.plan.rows.iter().find(|row| row.name == *name);
        return Err(without_order(args, served.namespace, row));
    };
    let key = token_key(&places, name, ordered);
    let stored = Storage::of_user().load(&key).await?;
    let record = stored.map(|stored| stored.record);
    let terms = &ordered.order.terms;
    let mut token = TokenStatus::default();
    let (mut ready, mut message) = (false, None);
    if let Some(record) = &record {
        let next = wanted(record, terms, "", now, Jitter::default());
        let outcome = Outcome::of(record, terms, now, next, None);
        token = status(record, terms, &outcome);
        ready = matches!(outcome.state, State::Token(_));
        message = explained(&outcome, None).map(|news| news.text);
    }
    let none = "Nothing is kept: `credence run` obtains a token when it serves these files.";
    Ok(Report {
        collection: name.to_string(),
        ready,
        message: message.or_else(|| Some(none.to_owned())),
        tokens: vec![Told {
            environment: served.environment.to_string(),
            token,
        }],
    })
}

fn without_order(args: &TokenArgs, namespace: String, row: Option<&Row>) -> Unknown {
    let name = args.collection.to_string();
    match row {
        None => Unknown::Absent { name, namespace },
        Some(row) => match row.state.advice() {
            Some(advice) => Unknown::Unresolved {
                name,
                word: row.state.word().to_owned(),
                advice,
            },
            None => Unknown::Needless {
                name,
                method: row.method,
            },
        },
    }
}

fn status(record: &Record, terms: &Terms, outcome: &Outcome) -> TokenStatus {
    let setback = outcome.setback.as_ref();
    let failures = setback.map_or(0, |setback| setback.failures);
    // What has ended is told, too: it says when this stopped to work.
    let held = record.held.as_ref();
    TokenStatus {
        obtained_at: held.map(|held| in_seconds(held.obtained_at)),
        expires_at: held.and_then(|held| held.expires_at).map(in_seconds),
        scope: held.and_then(|held| held.scope(terms)),
        next_refresh_at: outcome.next_attempt_at.map(in_seconds),
        last_attempt_at: setback.map(|setback| in_seconds(setback.at)),
        failures: failures.try_into().unwrap_or(i32::MAX),
        error: setback.and_then(|setback| Some(setback.code?.to_string())),
    }
}
