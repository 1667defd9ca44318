//! Time in which a virtual machine was not run, for others had its processors.
//! A limit in seconds is a promise about ours, so that it is longer by that.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

/// How many ticks of `/proc/stat` are a second (`USER_HZ`, proc(5)): the same on
/// every architecture that there are images for.
const TICKS: u64 = 100;

/// From its beginning until now.
#[derive(Debug)]
pub struct Window {
    /// By processor, since the machine began.
    before: Vec<Duration>,
}

impl Window {
    /// Begins now.
    ///
    /// # Errors
    /// The kernel does not say how its processors spend their time.
    pub fn open() -> Result<Self> {
        let before = stolen(&stat()?)?;
        Ok(Self { before })
    }

    /// For how long the processor that was taken away most did not run.
    ///
    /// # Errors
    /// See [`Window::open`].
    pub fn stolen(&self) -> Result<Duration> {
        let now = stolen(&stat()?)?;
        let since = now.iter().zip(&self.before);
        let since = since.map(|(now, before)| now.saturating_sub(*before));
        Ok(since.max().unwrap_or_default())
    }

    /// Whether something in this window took no longer than it may.
    ///
    /// # Errors
    /// It took longer, or see [`Window::open`].
    pub fn judge(&self, what: &str, took: Duration, limit: Duration) -> Result<()> {
        let stolen = self.stolen()?;
        ensure!(
            took <= limit + stolen,
            "{what}: after {took:?}, not within {limit:?}, and the machine did not run for {stolen:?}"
        );
        Ok(())
    }
}

fn stat() -> Result<String> {
    fs::read_to_string("/proc/stat").context("reading /proc/stat")
}

/// The eighth number of each processor's line.
fn stolen(stat: &str) -> Result<Vec<Duration>> {
    let processors = stat.lines().filter(|line| {
        let rest = line.strip_prefix("cpu").unwrap_or_default();
        rest.starts_with(|first: char| first.is_ascii_digit())
    });
    let stolen = |line: &str| {
        let ticks: u64 = line.split_whitespace().nth(8)?.parse().ok()?;
        Some(Duration::from_millis(ticks * 1000 / TICKS))
    };
    processors
        .map(|line| stolen(line).with_context(|| format!("no stolen time in {line:?}")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_stolen_of_each_processor_is_read_and_the_sum_is_not() {
        let stat = "cpu  9 9 9 9 9 9 9 950 0 0\n\
                    cpu0 1 1 1 1 1 1 1 150 0 0\n\
                    cpu1 1 1 1 1 1 1 1 800 0 0\n\
                    intr 1 2 3\nctxt 5\n";
        let expected = [1500, 8000].map(Duration::from_millis);
        assert_eq!(stolen(stat).expect("processors"), expected);
        assert!(stolen("cpu0 1 2 3\n").is_err());
    }

    #[test]
    fn a_limit_is_one_of_the_time_that_was_given() {
        let window = Window::open().expect("a kernel that tells");
        let limit = Duration::from_secs(5);
        window.judge("this", limit, limit).expect("in time");
        let longer = limit + window.stolen().expect("time") + Duration::from_secs(3600);
        assert!(window.judge("this", longer, limit).is_err());
        let earlier = Window {
            before: window.before.iter().map(|_| Duration::ZERO).collect(),
        };
        assert!(earlier.stolen().expect("time") >= window.stolen().expect("time"));
    }
}
