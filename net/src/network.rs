//! Blocks of addresses (RFC 4632 §3.1, RFC 4291 §2.3).

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A block of addresses: `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    first: IpAddr,
    bits: u8,
}

/// A text that is no block of addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no block of addresses: write one like 10.0.0.0/8 or fd00::/8")]
pub struct InvalidNetwork(String);

impl Network {
    /// One address alone.
    pub const fn of(address: IpAddr) -> Self {
        Self {
            first: address,
            bits: width(address),
        }
    }

    /// Whether an address is in it; an IPv4 address in IPv6 form counts as the
    /// former (RFC 4291 §2.5.5.2).
    pub fn contains(&self, address: IpAddr) -> bool {
        let same = match (self.first.to_canonical(), address.to_canonical()) {
            (IpAddr::V4(one), IpAddr::V4(other)) => {
                (one.to_bits() ^ other.to_bits()).leading_zeros()
            }
            (IpAddr::V6(one), IpAddr::V6(other)) => {
                (one.to_bits() ^ other.to_bits()).leading_zeros()
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return false,
        };
        same >= self.bits.into()
    }
}

const fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidNetwork(text.to_owned());
        let (first, bits) = text.split_once('/').ok_or_else(invalid)?;
        let first: IpAddr = first.parse().map_err(|_| invalid())?;
        let bits = bits.parse().map_err(|_| invalid())?;
        match bits <= width(first) {
            true => Ok(Self { first, bits }),
            false => Err(invalid()),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(network: &str, address: &str) -> bool {
        let network: Network = network.parse().unwrap();
        network.contains(address.parse().unwrap())
    }

    #[test]
    fn a_block_holds_what_begins_like_it() {
        for (network, address, expected) in [
            ("10.0.0.0/8", "10.1.2.3", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("10.1.2.3/32", "10.1.2.3", true),
            ("10.1.2.3/32", "10.1.2.2", false),
            ("0.0.0.0/0", "192.0.2.1", true),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("10.0.0.0/8", "fd00::1", false),
            ("fd00::/8", "fd12::1", true),
            ("fd00::/8", "fe80::1", false),
            ("::/0", "fe80::1", true),
            ("::/0", "10.1.2.3", false),
        ] {
            assert_eq!(holds(network, address), expected, "{network} {address}");
        }
    }

    #[test]
    fn what_is_no_block_says_how_to_write_one() {
        for text in [
            "",
            "10.0.0.0",
            "10.0.0.0/33",
            "fd00::/129",
            "a/8",
            "10.0.0.0/a",
        ] {
            let error = text.parse::<Network>().unwrap_err();
            assert!(error.to_string().contains("10.0.0.0/8"), "{error}");
        }
        let network: Network = "10.0.0.0/8".parse().unwrap();
        assert_eq!(network.to_string(), "10.0.0.0/8");
    }
}
