//! What a request is answered with, decided on its head alone.

use std::sync::Arc;

use crate::authorized::{Applied, Authorized, Unfinished};
use crate::buffer;
use crate::entrance::Entrance;
use crate::exchange::Request;
use crate::gate;
use crate::http1::{FieldStorage, Framing, Known, RequestHead, Version};
use crate::index;
use crate::moment;
use crate::problem::{AnswerForm, Problem};
use crate::replay::Replay;
use crate::shared::Shared;
use crate::slug::Slug;
use crate::target::{Target, path_and_query};
use crate::upgrade::Upgrade;

/// What a request is answered with.
pub(crate) enum Decision {
    /// What the provider says to this.
    Call(Authorized, Request),
    /// What the provider says to this, once the whole body is here: it gets a
    /// credential, too.
    Collect(Unfinished, Request),
    /// Something of ours, which has been written.
    Answered {
        /// The connection is closed after it.
        close: bool,
    },
}

impl Decision {
    /// Decides on a whole head. `host` is set to the authority that the caller
    /// used, and an answer of ours is written to `out`.
    pub(crate) fn of(
        bytes: &[u8],
        entrance: &Entrance,
        shared: &Shared,
        host: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) -> Self {
        let mut storage = FieldStorage::new();
        let head = match RequestHead::parse(bytes, &mut storage) {
            Ok(head) => head,
            Err(error) => {
                let form = AnswerForm {
                    to_head: false,
                    version: Version::Http11,
                    close: true,
                };
                return Self::refused(&error.into(), "", form, shared, out);
            }
        };
        let form = AnswerForm {
            to_head: head.method == "HEAD",
            version: head.version,
            // What follows a head that is answered here is not read.
            close: head.close || head.framing != Framing::None || shared.is_draining(),
        };
        host.clear();
        host.extend_from_slice(head.host.unwrap_or_default());
        match route(&head, entrance, shared, form, out) {
            Ok(Some((applied, upgrade))) => {
                let expects_continue = expects_continue(&head);
                let to = applied.destination();
                let replay = Replay::of(bytes, &head, expects_continue, to, &shared.bodies);
                let request = Request {
                    framing: head.framing,
                    version: head.version,
                    to_head: form.to_head,
                    method: well_known(head.method),
                    idempotent: is_idempotent(head.method),
                    close: head.close || shared.is_draining(),
                    expects_continue,
                    upgrade,
                    replay,
                };
                match applied {
                    Applied::Whole(authorized) => Self::Call(authorized, request),
                    Applied::Head(unfinished) => Self::Collect(unfinished, request),
                }
            }
            Ok(None) => {
                shared.count(None, head.method, 200);
                Self::Answered { close: form.close }
            }
            Err(problem) => Self::refused(&problem, head.method, form, shared, out),
        }
    }

    fn refused(
        problem: &Problem,
        method: &str,
        form: AnswerForm,
        shared: &Shared,
        out: &mut Vec<u8>,
    ) -> Self {
        shared.count(problem.collection.as_ref(), method, problem.slug.code());
        problem.write(form, out);
        Self::Answered { close: form.close }
    }
}

/// Finds out what a request is for and puts the credential on it. None when it
/// was for the index, which has then been written to `out`.
fn route(
    head: &RequestHead<'_, '_>,
    entrance: &Entrance,
    shared: &Shared,
    form: AnswerForm,
    out: &mut Vec<u8>,
) -> Result<Option<(Applied, Option<Upgrade>)>, Problem> {
    let names = &shared.settings.names;
    gate::check(head, names)?;
    let target = match entrance {
        Entrance::Main => Target::parse(head.target, names)?,
        Entrance::Own(collection) => {
            let (path, query) = path_and_query(head.target, names)?;
            Target::Call {
                collection: collection.as_str(),
                path,
                query,
            }
        }
    };
    let table = shared.table();
    let Some(table) = &*table else {
        return Err(Problem::new(
            Slug::NotReady,
            "Credence has not got its collections yet: try again in a moment.",
        ));
    };
    match target {
        Target::Index if matches!(head.method, "GET" | "HEAD") => {
            let host = head.host.map(String::from_utf8_lossy).unwrap_or_default();
            index::write(table, &shared.own_ports(), &host, form, out);
            Ok(None)
        }
        Target::Index => Err(Problem {
            allow: "GET, HEAD",
            ..Problem::new(
                Slug::MethodNotAllowed,
                "The list of collections can be read only: the first segment of the path names the collection to call.",
            )
        }),
        Target::Call {
            collection,
            path,
            query,
        } => {
            let destination = Arc::clone(table.find(collection)?);
            let upgrade =
                Upgrade::of(head).map_err(|problem| problem.of(&destination.collection))?;
            let (moment, room) = (moment::of_call(), buffer::take_room());
            let asked = upgrade.as_ref();
            let applied = Authorized::apply(destination, head, path, query, asked, moment, room)?;
            Ok(Some((applied, upgrade)))
        }
    }
}

/// Whether the caller waits to be told to send the body (RFC 9110 §10.1.1).
fn expects_continue(head: &RequestHead<'_, '_>) -> bool {
    head.version == Version::Http11
        && head.fields.iter().any(|field| {
            Known::of(field.name) == Some(Known::Expect)
                && field.value.eq_ignore_ascii_case(b"100-continue")
        })
}

/// The method, or no text when it is not one of RFC 9110 or RFC 5789.
fn well_known(method: &str) -> &'static str {
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
        .into_iter()
        .find(|known| *known == method)
        .unwrap_or_default()
}

/// RFC 9110 §9.2.2.
fn is_idempotent(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "OPTIONS" | "PUT" | "DELETE")
}
