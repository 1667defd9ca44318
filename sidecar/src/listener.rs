//! Accepts connections, up to a number, until shutdown.

use std::future::{Future, poll_fn};
use std::io;
use std::net::TcpListener as StdListener;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::connection::Connection;
use crate::entrance::Entrance;
use crate::http1::Version;
use crate::own_ports::OwnPorts;
use crate::problem::{AnswerForm, Problem};
use crate::session::OpenSession;
use crate::shared::Shared;
use crate::slug::Slug;

/// The pause after an error of accept() that is not about one connection,
/// such as too many open files: it would come again at once.
const PAUSE: Duration = Duration::from_millis(100);

/// Connections above the limit that are told so at one time; what comes on
/// top of these is closed without a word.
const MOST_TURNED_AWAY: usize = 64;

/// How long one that is turned away may take to read why.
const TURN_AWAY: Duration = Duration::from_secs(1);

/// Serves until `shutdown`, then drains.
pub(crate) async fn run(
    listeners: Vec<StdListener>,
    shared: Arc<Shared>,
    shutdown: impl Future<Output = ()>,
    drain: Duration,
) {
    let mut connections = JoinSet::new();
    let mut turned_away = JoinSet::new();
    {
        let mut shutdown = pin!(shutdown);
        let mut house = pin!(shared.keep_house());
        let listeners = adopted(listeners);
        let mut own_ports = OwnPorts::default();
        loop {
            tokio::select! {
                biased;
                () = &mut shutdown => break,
                () = &mut house => {}
                Some(ended) = connections.join_next() => report(ended),
                Some(ended) = turned_away.join_next() => report(ended),
                () = shared.bundled.notified() => {
                    let wishes = shared.table().as_ref().map(|table| table.wishes());
                    *shared.own_ports() = own_ports.follow(wishes.unwrap_or_default());
                }
                accepted = accept(&listeners, &own_ports) => match accepted {
                    Ok((stream, entrance)) => match shared.sessions.open(shared.settings.max_connections) {
                        Some(session) => {
                            start(&mut connections, stream, entrance, session, &shared);
                        }
                        None if turned_away.len() < MOST_TURNED_AWAY => {
                            turned_away.spawn(turn_away(stream));
                        }
                        None => {}
                    },
                    Err(error) => pause(&error).await,
                },
            }
        }
    }
    shared.drain();
    shared.sessions.close_idle();
    let ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(drain, ended).await.is_err() {
        tracing::info!("closing the connections that have not ended in time");
    }
}

fn adopted(listeners: Vec<StdListener>) -> Vec<TcpListener> {
    listeners
        .into_iter()
        .filter_map(|listener| {
            TcpListener::from_std(listener)
                .inspect_err(|error| tracing::error!(%error, "a listener could not be used"))
                .ok()
        })
        .collect()
}

async fn accept(
    listeners: &[TcpListener],
    own_ports: &OwnPorts,
) -> io::Result<(TcpStream, Entrance)> {
    poll_fn(|cx| {
        for listener in listeners {
            if let Poll::Ready(accepted) = listener.poll_accept(cx) {
                return Poll::Ready(accepted.map(|(stream, _)| (stream, Entrance::Main)));
            }
        }
        own_ports.poll_accept(cx)
    })
    .await
}

fn start(
    connections: &mut JoinSet<()>,
    stream: TcpStream,
    entrance: Entrance,
    session: OpenSession,
    shared: &Arc<Shared>,
) {
    let known = Arc::clone(session.session());
    let counted = shared.metrics.client_connection();
    let connection = Connection::new(stream, entrance, session, Arc::clone(shared));
    let task = connections.spawn(async move {
        connection.serve().await;
        drop(counted);
    });
    OpenSession::runs_in(&known, task);
}

async fn pause(error: &io::Error) {
    // The client went away while it waited: no reason to keep others waiting.
    if !matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    ) {
        tracing::warn!(%error, "connections cannot be accepted for the moment");
        tokio::time::sleep(PAUSE).await;
    }
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!("a connection ended by a panic");
    }
}

async fn turn_away(mut stream: TcpStream) {
    let form = AnswerForm {
        to_head: false,
        version: Version::Http11,
        close: true,
    };
    let mut answer = Vec::new();
    Problem::new(
        Slug::Overloaded,
        "Credence holds as many connections as it can: reuse connections, or make fewer calls at a time.",
    )
    .write(form, &mut answer);
    let telling = async {
        stream.write_all(&answer).await?;
        stream.shutdown().await?;
        // Closing with unread input would reset the connection and take the
        // answer with it.
        let mut unread = [0; 1024];
        while stream.read(&mut unread).await? > 0 {}
        Ok::<_, io::Error>(())
    };
    // Whoever does not listen is not told.
    let _ = tokio::time::timeout(TURN_AWAY, telling).await;
}
