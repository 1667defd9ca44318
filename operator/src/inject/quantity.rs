//! Amounts of CPU and memory, as Kubernetes spells them.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// The smallest unit that can be written: `1n`.
const NANO: u128 = 1;
const MILLI: u128 = 1_000_000 * NANO;
const ONE: u128 = 1_000 * MILLI;

/// An amount that is not negative. Two are equal when they mean the same,
/// however they are written.
#[derive(Clone, Debug)]
pub struct Quantity {
    nanos: u128,
    /// As it was written, for the pod's author to recognise.
    text: String,
}

/// The text is no amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an amount")]
pub struct NotAQuantity;

impl Quantity {
    /// So many nanos of the unit, in the shortest form.
    fn of_nanos(nanos: u128) -> Self {
        let text = [(ONE, ""), (MILLI, "m"), (1_000, "u")]
            .into_iter()
            .find(|(unit, _)| nanos.is_multiple_of(*unit))
            .map_or_else(
                || format!("{nanos}n"),
                |(unit, suffix)| format!("{}{suffix}", nanos / unit),
            );
        Self { nanos, text }
    }

    /// Whether this is nothing.
    pub(super) fn is_zero(&self) -> bool {
        self.nanos == 0
    }

    /// The least amount of which `times` as much reaches this one. Rounded up
    /// to thousandths: amounts of CPU have nothing finer.
    pub(super) fn divided_by(&self, times: &Self) -> Self {
        if times.is_zero() {
            return self.clone();
        }
        let nanos = self.nanos.saturating_mul(ONE).div_ceil(times.nanos);
        Self::of_nanos(nanos.div_ceil(MILLI).saturating_mul(MILLI))
    }
}

impl FromStr for Quantity {
    type Err = NotAQuantity;

    /// The serialization format of `resource.Quantity`, without a sign: digits
    /// with at most one point, then a binary or decimal suffix or an exponent.
    fn from_str(text: &str) -> Result<Self, NotAQuantity> {
        let end = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len());
        let (number, suffix) = text.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
            return Err(NotAQuantity);
        }
        let digits: u128 = format!("{whole}{fraction}")
            .parse()
            .map_err(|_| NotAQuantity)?;
        let unit = unit(suffix).ok_or(NotAQuantity)?;
        let places = u32::try_from(fraction.len()).map_err(|_| NotAQuantity)?;
        let divisor = 10_u128.checked_pow(places).ok_or(NotAQuantity)?;
        // As the API server does, what is finer than a nano is rounded up.
        let nanos = digits.checked_mul(unit).ok_or(NotAQuantity)?;
        Ok(Self {
            nanos: nanos.div_ceil(divisor),
            text: text.to_owned(),
        })
    }
}

/// What a suffix stands for, in nanos.
fn unit(suffix: &str) -> Option<u128> {
    let decimal = |power: i32| match power {
        0.. => ONE.checked_mul(10_u128.checked_pow(power.unsigned_abs())?),
        _ => (-9..0)
            .contains(&power)
            .then(|| ONE / 10_u128.pow(power.unsigned_abs())),
    };
    match suffix {
        "n" => decimal(-9),
        "u" => decimal(-6),
        "m" => decimal(-3),
        "" => decimal(0),
        "k" => decimal(3),
        "M" => decimal(6),
        "G" => decimal(9),
        "T" => decimal(12),
        "P" => decimal(15),
        "E" => decimal(18),
        "Ki" => Some(ONE << 10),
        "Mi" => Some(ONE << 20),
        "Gi" => Some(ONE << 30),
        "Ti" => Some(ONE << 40),
        "Pi" => Some(ONE << 50),
        "Ei" => Some(ONE << 60),
        _ => decimal(suffix.strip_prefix(['e', 'E'])?.parse().ok()?),
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nanos.cmp(&other.nanos)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quantity(text: &str) -> Quantity {
        text.parse().unwrap()
    }

    #[test]
    fn the_same_amount_is_equal_however_it_is_written() {
        for same in [
            ["1", "1000m"],
            ["0.1", "100m"],
            [".5", "500m"],
            ["1.", "1"],
            ["1e3", "1k"],
            ["12E-3", "12m"],
            ["1Ki", "1024"],
            ["0.5Gi", "512Mi"],
            ["1M", "1000000"],
            ["2E", "2000P"],
            ["1u", "1000n"],
        ] {
            assert_eq!(quantity(same[0]), quantity(same[1]), "{same:?}");
        }
        assert!(quantity("16Mi") < quantity("64Mi"));
        assert!(quantity("1Mi") > quantity("1M"));
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for bad in [
            "", ".", "1.2.3", "-1", "+1", " 1", "1 ", "Mi", "1mi", "1MB", "1KiB", "1e", "1e99",
            "0x10", "1_000", "½", "1e-10",
        ] {
            assert_eq!(bad.parse::<Quantity>(), Err(NotAQuantity), "{bad:?}");
        }
        let long = "9".repeat(60);
        assert_eq!(long.parse::<Quantity>(), Err(NotAQuantity));
        let fine = format!("0.{}", "1".repeat(60));
        assert_eq!(fine.parse::<Quantity>(), Err(NotAQuantity));
    }

    #[test]
    fn a_quotient_is_never_too_small() {
        let third = quantity("100m").divided_by(&quantity("3"));
        assert_eq!(third.to_string(), "34m");
        let half = quantity("64Mi").divided_by(&quantity("2"));
        assert_eq!(half.to_string(), (32 << 20).to_string());
        assert_eq!(quantity("1").divided_by(&quantity("0")), quantity("1"));
    }

    #[test]
    fn an_amount_is_shown_as_it_was_written() {
        assert_eq!(quantity("0.50Gi").to_string(), "0.50Gi");
    }
}
