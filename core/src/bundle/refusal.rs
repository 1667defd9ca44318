//! Which answers refuse a token, and what is done about the call.

use crate::token::{FieldPath, says};

/// Which answers say that a token is not good any more, and whether the call
/// is made again once there is a newer one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Each of them by itself.
    pub signs: Vec<Sign>,
    /// When a call is made again.
    pub retry: Retry,
}

/// What an answer looks like that refuses a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sign {
    /// Its status.
    pub status: u16,
    /// What its body says besides, if that matters.
    pub body: Option<BodySign>,
}

/// What a body says that refuses a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodySign {
    /// Where.
    pub path: FieldPath,
    /// What, as text.
    pub equals: String,
}

/// When a refused call is made again with a newer token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Retry {
    /// Never.
    Never,
    /// When nothing can have been done twice: after a 401, which says that
    /// nobody looked at the call (RFC 9110 §15.5.2), or where doing it twice is
    /// the same as doing it once (§9.2.2).
    #[default]
    Safe,
    /// Always.
    Always,
}

impl Default for Refusal {
    fn default() -> Self {
        let unauthorized = Sign {
            status: 401,
            body: None,
        };
        Self {
            signs: vec![unauthorized],
            retry: Retry::Safe,
        }
    }
}

impl Refusal {
    /// Whether an answer of this status refuses the token, whatever it says.
    pub fn by_status(&self, status: u16) -> bool {
        self.signs
            .iter()
            .any(|sign| sign.status == status && sign.body.is_none())
    }

    /// Whether it depends on the body of an answer of this status.
    pub fn depends_on_body(&self, status: u16) -> bool {
        !self.by_status(status) && self.bodies(status).next().is_some()
    }

    /// Whether it depends on the body of any answer.
    pub fn reads_bodies(&self) -> bool {
        self.signs.iter().any(|sign| sign.body.is_some())
    }

    /// Whether an answer of this status refuses the token by its body.
    pub fn by_body(&self, status: u16, body: &[u8]) -> bool {
        self.bodies(status)
            .any(|sign| says(body, &sign.path, &sign.equals))
    }

    /// Whether a call that was refused with this status is made again.
    pub const fn retries(&self, status: u16, idempotent: bool) -> bool {
        match self.retry {
            Retry::Never => false,
            Retry::Safe => status == 401 || idempotent,
            Retry::Always => true,
        }
    }

    fn bodies(&self, status: u16) -> impl Iterator<Item = &BodySign> {
        let signs = self.signs.iter().filter(move |sign| sign.status == status);
        signs.filter_map(|sign| sign.body.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign(status: u16, body: Option<(&str, &str)>) -> Sign {
        Sign {
            status,
            body: body.map(|(path, equals)| BodySign {
                path: path.parse().unwrap(),
                equals: equals.to_owned(),
            }),
        }
    }

    fn refusal(signs: Vec<Sign>) -> Refusal {
        Refusal {
            signs,
            ..Refusal::default()
        }
    }

    #[test]
    fn only_401_refuses_a_token_unless_the_manifest_says_otherwise() {
        let usual = Refusal::default();
        let other = refusal(vec![sign(403, None)]);
        for (status, by_default, by_other) in
            [(200, false, false), (401, true, false), (403, false, true)]
        {
            assert_eq!(usual.by_status(status), by_default, "{status}");
            assert_eq!(other.by_status(status), by_other, "{status}");
        }
        assert!(!usual.reads_bodies());
        assert!(!refusal(Vec::new()).by_status(401));
    }

    /// As Marketo answers (601, 602), and WeChat.
    #[test]
    fn a_body_refuses_a_token_with_the_status_that_it_is_looked_at_for() {
        let refusal = refusal(vec![
            sign(401, None),
            sign(200, Some(("errors.0.code", "601"))),
            sign(200, Some(("errors.0.code", "602"))),
            sign(200, Some(("errcode", "40001"))),
            sign(401, Some(("a", "b"))),
        ]);
        for (body, refused) in [
            (r#"{"success": false, "errors": [{"code": "601"}]}"#, true),
            (r#"{"errors": [{"code": 602}]}"#, true),
            (
                r#"{"errcode": 40001, "errmsg": "invalid credential"}"#,
                true,
            ),
            (r#"{"errors": [{"code": "1001"}, {"code": "601"}]}"#, false),
            (r#"{"success": true, "errors": []}"#, false),
            (r#"{"errors": [{"code": "601"}]"#, false),
            ("", false),
            ("\u{1f}\u{8b}", false),
        ] {
            assert_eq!(refusal.by_body(200, body.as_bytes()), refused, "{body}");
            assert!(!refusal.by_body(500, body.as_bytes()), "{body}");
        }
        assert!(refusal.depends_on_body(200));
        assert!(!refusal.depends_on_body(500));
        assert!(!refusal.depends_on_body(401), "the status is enough");
    }

    #[test]
    fn a_call_that_may_have_been_made_is_made_again_only_where_that_is_wanted() {
        for (retry, status, idempotent, expected) in [
            (Retry::Safe, 401, false, true),
            (Retry::Safe, 403, true, true),
            (Retry::Safe, 403, false, false),
            (Retry::Always, 403, false, true),
            (Retry::Never, 401, true, false),
        ] {
            let refusal = Refusal {
                retry,
                ..Refusal::default()
            };
            let found = refusal.retries(status, idempotent);
            assert_eq!(found, expected, "{retry:?} {status} {idempotent}");
        }
    }
}
