//! How a provider receives a credential, as far as its answers tell.

use serde::{Deserialize, Serialize};

/// What an answer says about the credential that the call was made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reception {
    /// The provider knows it.
    Accepted,
    /// The provider does not.
    Refused,
}

/// The answer that was the last to say something. Nothing of it is kept but
/// its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// The status; none when the provider refused the client certificate
    /// before there could be an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Whether the same credential was accepted before.
    #[serde(default)]
    pub worked: bool,
    /// Which token was refused, where the credential is one. What refuses a
    /// token is said by the manifest, so any status may come with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    /// Whether the answer itself named the credential as its reason: then any
    /// status may come with it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub named: bool,
}

impl Reception {
    /// What a status says, if it says anything.
    ///
    /// 401 is about the credential as such (RFC 9110 §15.5.2). 403 is not: it
    /// is also the answer to a good one that may do other things only
    /// (§15.5.4). All other failures may have come before anyone looked at it.
    pub const fn of_status(status: u16) -> Option<Self> {
        match status {
            401 => Some(Self::Refused),
            101 | 200..=299 => Some(Self::Accepted),
            _ => None,
        }
    }
}

impl Said {
    /// What it says; none for a status that says nothing.
    pub fn reception(self) -> Option<Reception> {
        if self.named {
            return Some(Reception::Refused);
        }
        match (self.generation, self.status) {
            (Some(_), _) | (None, None) => Some(Reception::Refused),
            (None, Some(status)) => Reception::of_status(status),
        }
    }

    /// What two sidecars say of one credential, as one.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            status: self.status.max(other.status),
            worked: self.worked || other.worked,
            generation: self.generation.max(other.generation),
            named: self.named || other.named,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_401_is_about_the_credential_as_such() {
        for (status, said) in [
            (100, None),
            (101, Some(Reception::Accepted)),
            (200, Some(Reception::Accepted)),
            (204, Some(Reception::Accepted)),
            (302, None),
            (400, None),
            (401, Some(Reception::Refused)),
            (403, None),
            (404, None),
            (407, None),
            (429, None),
            (500, None),
            (503, None),
        ] {
            assert_eq!(Reception::of_status(status), said, "{status}");
        }
    }

    #[test]
    fn that_it_worked_for_one_is_enough() {
        let refused = Said {
            status: Some(401),
            worked: false,
            generation: None,
            named: false,
        };
        let certificate = Said {
            status: None,
            worked: true,
            generation: None,
            named: false,
        };
        let both = refused.and(certificate);
        assert_eq!((both.status, both.worked), (Some(401), true));
    }

    #[test]
    fn a_token_can_be_refused_with_any_status() {
        let said = |generation| Said {
            status: Some(200),
            worked: false,
            generation,
            named: false,
        };
        assert_eq!(said(Some(7)).reception(), Some(Reception::Refused));
        assert_eq!(said(None).reception(), Some(Reception::Accepted));
    }

    #[test]
    fn an_answer_may_name_the_credential_with_any_status() {
        let said = |named| Said {
            status: Some(403),
            worked: true,
            generation: None,
            named,
        };
        assert_eq!(said(true).reception(), Some(Reception::Refused));
        assert_eq!(said(false).reception(), None);
    }

    #[test]
    fn a_handshake_that_failed_for_the_certificate_is_a_refusal() {
        let said = Said {
            status: None,
            worked: true,
            generation: None,
            named: false,
        };
        assert_eq!(said.reception(), Some(Reception::Refused));
    }
}
