//! Which addresses may be dialled.
//!
//! A collection's host is chosen by whoever writes the collection, and its
//! address by whoever runs that name's DNS. Without a guard either could aim a
//! pod's traffic at the node's metadata service, at the node itself, or at a
//! neighbour's in-cluster service.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Decides about one address at a time. Pure: names never come here, only the
/// very address that is dialled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Guard {
    /// Whether private, loopback and other special-use addresses may be
    /// dialled. Link-local, metadata, unspecified and multicast addresses are
    /// refused even so.
    pub allow_private: bool,
}

/// Why an address is not dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No setting allows this address.
    #[error("its address is {0}, which is never dialled")]
    Never(Kind),
    /// The collection does not allow private networks.
    #[error("its address is {0}, which needs allowPrivateNetworks")]
    Private(Kind),
}

/// What kind of special address it is, as messages name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// RFC 3927, RFC 4291 §2.5.6.
    LinkLocal,
    /// A cloud's metadata or node-agent service outside the link-local block.
    Metadata,
    /// RFC 1122 §3.2.1.3 (a), RFC 4291 §2.5.2. Linux connects to itself there.
    Unspecified,
    /// RFC 5771, RFC 4291 §2.7.
    Multicast,
    /// RFC 919 §7.
    Broadcast,
    /// Teredo (RFC 4380) and local-use NAT64 (RFC 8215): where they lead cannot
    /// be told from the address.
    Tunnel,
    /// RFC 1122 §3.2.1.3 (g), RFC 4291 §2.5.3.
    Loopback,
    /// RFC 1918, RFC 4193, and the deprecated site-local block of RFC 3879.
    Private,
    /// RFC 6598.
    CarrierGrade,
    /// Documentation, benchmarking, reserved: the rest of RFC 6890.
    Reserved,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::LinkLocal => "link-local",
            Self::Metadata => "a cloud metadata service",
            Self::Unspecified => "unspecified",
            Self::Multicast => "multicast",
            Self::Broadcast => "broadcast",
            Self::Tunnel => "inside a tunnel block",
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::CarrierGrade => "carrier-grade NAT",
            Self::Reserved => "reserved",
        })
    }
}

impl Guard {
    /// Whether this address may be dialled.
    ///
    /// # Errors
    /// [`Refused`] with the reason.
    pub fn check(self, address: IpAddr) -> Result<(), Refused> {
        let refused = match address {
            IpAddr::V4(v4) => check_v4(v4),
            IpAddr::V6(v6) => check_v6(v6),
        };
        match refused {
            Err(Refused::Private(_)) if self.allow_private => Ok(()),
            other => other,
        }
    }
}

/// Cloud services that hand out identities, and lie outside 169.254.0.0/16.
const METADATA_V4: [Ipv4Addr; 3] = [
    Ipv4Addr::new(100, 100, 100, 200), // Alibaba Cloud
    Ipv4Addr::new(168, 63, 129, 16),   // Azure's wire server, in public space
    Ipv4Addr::new(192, 0, 0, 192),     // Oracle Cloud
];

/// Google Cloud's, within the unique-local block.
const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254);

fn check_v4(address: Ipv4Addr) -> Result<(), Refused> {
    use Refused::{Never, Private};
    let [a, b, c, _] = address.octets();
    if METADATA_V4.contains(&address) {
        return Err(Never(Kind::Metadata));
    }
    Err(match (a, b, c) {
        (0, _, _) => Never(Kind::Unspecified),
        (169, 254, _) => Never(Kind::LinkLocal),
        (224..=239, _, _) => Never(Kind::Multicast),
        _ if address == Ipv4Addr::BROADCAST => Never(Kind::Broadcast),
        (127, _, _) => Private(Kind::Loopback),
        (10, _, _) | (172, 16..=31, _) | (192, 168, _) => Private(Kind::Private),
        (100, 64..=127, _) => Private(Kind::CarrierGrade),
        (192, 0, 0 | 2) | (192, 88, 99) | (198, 51, 100) | (203, 0, 113) | (198, 18..=19, _) => {
            Private(Kind::Reserved)
        }
        (240..=255, _, _) => Private(Kind::Reserved),
        _ => return Ok(()),
    })
}

fn check_v6(address: Ipv6Addr) -> Result<(), Refused> {
    use Refused::{Never, Private};
    let segments = address.segments();
    if address == METADATA_V6 || segments.starts_with(&[0xfd00, 0xec2]) {
        // AWS puts metadata, DNS and the pod identity agent below fd00:ec2::/32.
        return Err(Never(Kind::Metadata));
    }
    Err(match segments {
        [0, 0, 0, 0, 0, 0, 0, 0] => Never(Kind::Unspecified),
        [0, 0, 0, 0, 0, 0, 0, 1] => Private(Kind::Loopback),
        // IPv4-compatible (RFC 4291 §2.5.5.1): deprecated, so at best reserved.
        [0, 0, 0, 0, 0, 0, high, low] => match check_v4(joined(high, low)) {
            Err(Never(kind)) => Never(kind),
            Err(Private(_)) | Ok(()) => Private(Kind::Reserved),
        },
        // IPv4-mapped (RFC 4291 §2.5.5.2): the kernel dials the IPv4 address.
        [0, 0, 0, 0, 0, 0xffff, high, low]
        // The NAT64 well-known prefix (RFC 6052 §2.1): a gateway does.
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        // 6to4 (RFC 3056 §2): a relay does.
        | [0x2002, high, low, ..] => return check_v4(joined(high, low)),
        [0x2001, 0, ..] | [0x64, 0xff9b, 1, ..] => Never(Kind::Tunnel),
        [0xfe80..=0xfebf, ..] => Never(Kind::LinkLocal),
        [0xff00..=0xffff, ..] => Never(Kind::Multicast),
        [0xfc00..=0xfdff, ..] | [0xfec0..=0xfeff, ..] => Private(Kind::Private),
        // RFC 2928 and RFC 3849, RFC 9637.
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Private(Kind::Reserved),
        // Only 2000::/3 is global unicast (RFC 4291 §2.4).
        [0x2000..=0x3fff, ..] => return Ok(()),
        _ => Private(Kind::Reserved),
    })
}

fn joined(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from((u32::from(high) << 16) | u32::from(low))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(address: &str, allow_private: bool) -> Result<(), Refused> {
        Guard { allow_private }.check(address.parse().unwrap())
    }

    #[test]
    fn public_addresses_are_dialled() {
        for address in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.1",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700::1111",
            "2001:200::1",
            "2001:4860:4860::8888",
            "3fff:1000::1",
            "::ffff:1.1.1.1",
            "64:ff9b::1.1.1.1",
            "2002:101:101::1",
        ] {
            assert_eq!(checked(address, false), Ok(()), "{address}");
        }
    }

    #[test]
    fn some_addresses_are_refused_whatever_a_collection_allows() {
        for (address, kind) in [
            ("0.0.0.0", Kind::Unspecified),
            ("0.1.2.3", Kind::Unspecified),
            ("169.254.0.1", Kind::LinkLocal),
            ("169.254.169.254", Kind::LinkLocal),
            ("169.254.170.23", Kind::LinkLocal),
            ("100.100.100.200", Kind::Metadata),
            ("168.63.129.16", Kind::Metadata),
            ("192.0.0.192", Kind::Metadata),
            ("224.0.0.1", Kind::Multicast),
            ("239.255.255.255", Kind::Multicast),
            ("255.255.255.255", Kind::Broadcast),
            ("::", Kind::Unspecified),
            ("fe80::1", Kind::LinkLocal),
            ("febf::1", Kind::LinkLocal),
            ("ff02::1", Kind::Multicast),
            ("fd00:ec2::254", Kind::Metadata),
            ("fd00:ec2::23", Kind::Metadata),
            ("fd20:ce::254", Kind::Metadata),
            ("::ffff:169.254.169.254", Kind::LinkLocal),
            ("::ffff:0.0.0.0", Kind::Unspecified),
            ("::169.254.169.254", Kind::LinkLocal),
            ("::224.0.0.1", Kind::Multicast),
            ("64:ff9b::169.254.169.254", Kind::LinkLocal),
            ("64:ff9b::168.63.129.16", Kind::Metadata),
            ("64:ff9b:1::1.1.1.1", Kind::Tunnel),
            ("2002:a9fe:a9fe::1", Kind::LinkLocal),
            ("2001::1", Kind::Tunnel),
        ] {
            let expected = Err(Refused::Never(kind));
            assert_eq!(checked(address, true), expected, "{address}");
            assert_eq!(checked(address, false), expected, "{address}");
        }
    }

    #[test]
    fn private_addresses_are_dialled_only_where_a_collection_allows_them() {
        for (address, kind) in [
            ("10.0.0.1", Kind::Private),
            ("172.16.0.1", Kind::Private),
            ("172.31.255.255", Kind::Private),
            ("192.168.0.1", Kind::Private),
            ("100.64.0.1", Kind::CarrierGrade),
            ("100.127.255.255", Kind::CarrierGrade),
            ("127.0.0.1", Kind::Loopback),
            ("127.255.255.255", Kind::Loopback),
            ("192.0.0.1", Kind::Reserved),
            ("192.0.2.1", Kind::Reserved),
            ("192.88.99.1", Kind::Reserved),
            ("198.18.0.1", Kind::Reserved),
            ("198.19.255.255", Kind::Reserved),
            ("198.51.100.1", Kind::Reserved),
            ("203.0.113.1", Kind::Reserved),
            ("240.0.0.1", Kind::Reserved),
            ("255.255.255.254", Kind::Reserved),
            ("::1", Kind::Loopback),
            ("fc00::1", Kind::Private),
            ("fd12:3456::1", Kind::Private),
            ("fec0::1", Kind::Private),
            ("100::1", Kind::Reserved),
            ("2001:2::1", Kind::Reserved),
            ("2001:db8::1", Kind::Reserved),
            ("3fff::1", Kind::Reserved),
            ("4000::1", Kind::Reserved),
            ("5f00::1", Kind::Reserved),
            ("::1.1.1.1", Kind::Reserved),
            ("::10.0.0.1", Kind::Reserved),
            ("::ffff:127.0.0.1", Kind::Loopback),
            ("::ffff:10.0.0.1", Kind::Private),
            ("64:ff9b::10.0.0.1", Kind::Private),
            ("2002:a00:1::1", Kind::Private),
        ] {
            assert_eq!(
                checked(address, false),
                Err(Refused::Private(kind)),
                "{address}"
            );
            assert_eq!(checked(address, true), Ok(()), "{address}");
        }
    }
}
