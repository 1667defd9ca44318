//! What an answer says about the token that the call was made with.

use credence_core::bundle::Refusal;

use crate::http1::ResponseHead;

/// Whether its head says that the token is not good any more, so that another
/// one would help.
pub(crate) fn refuses_token(refusal: &Refusal, head: &ResponseHead<'_, '_>) -> bool {
    refusal.by_status(head.status) && !lacks_scope(head)
}

/// Whether the token is good, and may not do this: the next one would not
/// either (RFC 6750 §3.1).
fn lacks_scope(head: &ResponseHead<'_, '_>) -> bool {
    const CODE: &[u8] = b"insufficient_scope";
    let challenges = head.fields.iter().filter(|field| {
        let name = "WWW-Authenticate";
        field.name.eq_ignore_ascii_case(name)
    });
    let mut codes = challenges.flat_map(|field| field.value.windows(CODE.len()));
    codes.any(|code| code.eq_ignore_ascii_case(CODE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http1::FieldStorage;

    fn refuses(head: &str) -> bool {
        let head = format!("HTTP/1.1 {head}\r\n\r\n");
        let mut storage = FieldStorage::new();
        let head = ResponseHead::parse(head.as_bytes(), false, &mut storage).unwrap();
        refuses_token(&Refusal::default(), &head)
    }

    #[test]
    fn a_token_that_lacks_a_scope_is_not_refused() {
        for (challenge, refused) in [
            (r#"Bearer error="invalid_token""#, true),
            (
                r#"Bearer realm="api", error="insufficient_scope", scope="a""#,
                false,
            ),
            (
                r#"DPoP algs="ES256", Bearer error=Insufficient_Scope"#,
                false,
            ),
            ("Bearer", true),
        ] {
            let head = format!("401 Unauthorized\r\nwww-authenticate: {challenge}");
            assert_eq!(refuses(&head), refused, "{challenge}");
        }
    }
}
