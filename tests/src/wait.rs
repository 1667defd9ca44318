//! Waiting for something that cannot be watched.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How often a condition is looked at. Short against what is waited for (a
/// second or more), long against what looking costs.
const INTERVAL: Duration = Duration::from_millis(50);

/// Asks `ready` until it gives a value.
///
/// # Errors
/// `ready` failed, or gave nothing within `patience`; the error says what was
/// waited for.
pub fn until<T>(
    what: &str,
    patience: Duration,
    mut ready: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let start = Instant::now();
    loop {
        if let Some(value) = ready().with_context(|| format!("waiting for {what}"))? {
            return Ok(value);
        }
        if start.elapsed() > patience {
            bail!("{what}: not within {} s", patience.as_secs());
        }
        std::thread::sleep(INTERVAL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_ends_the_wait_and_patience_ends_it_too() {
        let mut left = 2;
        let seen = until("two looks", Duration::from_secs(5), || {
            left -= 1;
            Ok((left == 0).then_some(7))
        });
        assert_eq!(seen.ok(), Some(7));
        let never: Result<()> = until("never", Duration::ZERO, || Ok(None));
        assert!(never.is_err_and(|error| error.to_string().contains("never")));
    }
}
