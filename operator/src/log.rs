//! The operator's own log, on standard error.

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

use crate::settings::{LogFormat, Settings};

/// What asks reports its errors; the library would repeat them, and quote an
/// answer that it cannot read: a Secret, or a token.
const REPEATING: [(&str, LevelFilter); 2] = [
    ("kube_runtime", LevelFilter::ERROR),
    ("kube_client::client", LevelFilter::OFF),
];

/// Installs the log for the process. What libraries say is shown from
/// warnings on: their traces hold requests.
///
/// # Errors
/// When there is one already.
pub fn install(settings: &Settings) -> Result<(), TryInitError> {
    let ours = match settings.verbose {
        0 => LevelFilter::INFO,
        1 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let filter = filter(ours);
    let log = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let registry = tracing_subscriber::registry().with(filter);
    match settings.log_format {
        LogFormat::Json => {
            let json = log.json().flatten_event(true);
            let json = json.with_current_span(false).with_span_list(false);
            registry.with(json).try_init()
        }
        LogFormat::Text => registry.with(log).try_init(),
    }
}

pub(crate) fn filter(ours: LevelFilter) -> Targets {
    Targets::new()
        .with_default(LevelFilter::WARN)
        .with_targets(REPEATING)
        .with_target("credence_operator", ours)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing::Level;

    use super::*;

    /// All that is logged.
    #[derive(Clone, Default)]
    pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

    impl Log {
        pub(crate) fn writer(&self) -> impl Fn() -> Self + 'static {
            let log = self.clone();
            move || log.clone()
        }

        pub(crate) fn said(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_an_api_server_answers_is_not_quoted() {
        let filter = filter(LevelFilter::TRACE);
        assert!(!filter.would_enable("kube_client::client", &Level::WARN));
        assert!(filter.would_enable("credence_operator::run", &Level::TRACE));
        assert!(filter.would_enable("rustls", &Level::WARN));
    }
}
