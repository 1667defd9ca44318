//! The operator's feed, as a pod's sidecar sees it: connected to with a token,
//! recorded whole.

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use http_body_util::BodyExt as _;

use crate::collect;
use crate::session::{Session, Trust};

/// Connecting and the answer's head.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the feed says to somebody who connects.
pub enum Answer {
    /// It streams.
    Stream(Recording),
    /// It refuses.
    Refused {
        /// HTTP status.
        status: u16,
        /// What it says.
        body: String,
    },
}

/// A stream, read by a thread of its own for as long as this lives.
pub struct Recording {
    bytes: Arc<Mutex<Vec<u8>>>,
    grown: Receiver<()>,
    _stop: tokio::sync::oneshot::Sender<()>,
}

impl Recording {
    /// All that has come so far.
    #[must_use]
    pub fn text(&self) -> String {
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Writes all that has come so far where [`collect::feeds`] says, for who
    /// looks for what must never have been in it. Not of a live feed, which
    /// holds live keys.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn keep(&self, name: &str) -> Result<()> {
        let folder = collect::feeds();
        fs::create_dir_all(&folder)?;
        let path = folder.join(format!("{name}.jsonl"));
        fs::write(&path, self.text()).with_context(|| format!("writing {}", path.display()))
    }

    /// Waits until `seen` is true of all that has come.
    ///
    /// # Errors
    /// It is not within `patience`, or the stream ended before.
    pub fn wait_until(&self, patience: Duration, seen: impl Fn(&str) -> bool) -> Result<()> {
        let deadline = Instant::now() + patience;
        loop {
            if seen(&self.text()) {
                return Ok(());
            }
            match self
                .grown
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(()) => {}
                Err(RecvTimeoutError::Timeout) => {
                    bail!("the feed did not say it within {patience:?}")
                }
                Err(RecvTimeoutError::Disconnected) if seen(&self.text()) => return Ok(()),
                Err(RecvTimeoutError::Disconnected) => bail!("the feed ended the stream"),
            }
        }
    }
}

/// Connects to the feed at `address`, which must show a certificate of the
/// root in `ca` (PEM), with `token` as a sidecar would.
///
/// # Errors
/// There is no connection, or no HTTP answer.
pub fn connect(address: SocketAddr, ca: &str, token: Option<&str>) -> Result<Answer> {
    let trust = Trust::new(ca)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let opened = async {
        let mut session = Session::open(address, &trust).await?;
        let response = session.ask(token).await?;
        anyhow::Ok((session, response))
    };
    let (session, response) = runtime.block_on(async {
        tokio::time::timeout(PATIENCE, opened)
            .await
            .context("the feed took too long")?
    })?;
    let status = response.status().as_u16();
    if status != 200 {
        let body = runtime.block_on(response.into_body().collect())?.to_bytes();
        return Ok(Answer::Refused {
            status,
            body: String::from_utf8_lossy(&body).into_owned(),
        });
    }
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let (grew, grown) = channel();
    let bytes = Arc::new(Mutex::new(Vec::new()));
    let kept = bytes.clone();
    std::thread::spawn(move || {
        let _connected = session;
        let mut body = response.into_body();
        runtime.block_on(async {
            tokio::select! {
                () = async {
                    while let Some(Ok(frame)) = body.frame().await {
                        let Ok(data) = frame.into_data() else { continue };
                        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                        if kept.write_all(&data).is_err() || grew.send(()).is_err() {
                            break;
                        }
                    }
                } => {}
                // An error means that the recording was dropped: the same end.
                _ = stopped => {}
            }
        });
    });
    Ok(Answer::Stream(Recording {
        bytes,
        grown,
        _stop: stop,
    }))
}
