//! What AWS answers where the key that a call was signed with is not good.
//!
//! The status does not tell: a good key that may not make a call gets the same
//! 403. The code of the error does. S3 and the older services write it in XML,
//! the others in JSON or in a header.

use serde_json::Value;

use crate::http1::ResponseHead;

/// What is wrong with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyError {
    /// AWS does not know it, or not any more.
    Unknown,
    /// It is not the one that was signed with; or the call was read in another
    /// way than it was signed.
    Mismatch,
}

/// What the head of an answer says of the key.
pub(crate) fn of_head(head: &ResponseHead<'_, '_>) -> Option<KeyError> {
    let mut fields = head.fields.iter();
    let field = fields.find(|field| field.name.eq_ignore_ascii_case("X-Amzn-ErrorType"))?;
    of_code(std::str::from_utf8(field.value).ok()?)
}

/// Whether the body of an answer may say something of the key.
pub(crate) const fn may_be_in_body(status: u16) -> bool {
    matches!(status, 400 | 403)
}

/// What the body of an answer says of the key.
pub(crate) fn of_body(body: &[u8]) -> Option<KeyError> {
    let text = std::str::from_utf8(body).ok()?.trim();
    if text.starts_with('<') {
        let (_, code) = text.split_once("<Code>")?;
        return of_code(code.split_once("</Code>")?.0);
    }
    let error: Value = serde_json::from_str(text).ok()?;
    let mut members = ["__type", "code"].into_iter();
    members.find_map(|member| of_code(error.get(member)?.as_str()?))
}

/// A code may have a namespace before it, and a URL behind it.
fn of_code(text: &str) -> Option<KeyError> {
    let code = text.split(':').next()?;
    match code.rsplit('#').next()?.trim() {
        "ExpiredToken"
        | "ExpiredTokenException"
        | "InvalidAccessKeyId"
        | "InvalidClientTokenId"
        | "InvalidToken"
        | "UnrecognizedClientException" => Some(KeyError::Unknown),
        "InvalidSignatureException" | "SignatureDoesNotMatch" => Some(KeyError::Mismatch),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http1::FieldStorage;

    #[test]
    fn a_body_tells_a_bad_key_from_a_call_that_is_not_allowed() {
        for (body, expected) in [
            (
                "<?xml version=\"1.0\"?>\n<Error><Code>InvalidAccessKeyId</Code><Message>x</Message></Error>",
                Some(KeyError::Unknown),
            ),
            (
                "<ErrorResponse><Error><Type>Sender</Type><Code>InvalidClientTokenId</Code></Error></ErrorResponse>",
                Some(KeyError::Unknown),
            ),
            (
                "<Error><Code>SignatureDoesNotMatch</Code></Error>",
                Some(KeyError::Mismatch),
            ),
            (
                r#"{"__type":"com.amazon.coral.service#UnrecognizedClientException","message":"x"}"#,
                Some(KeyError::Unknown),
            ),
            (
                r#"{"code":"ExpiredTokenException"}"#,
                Some(KeyError::Unknown),
            ),
            ("<Error><Code>AccessDenied</Code></Error>", None),
            (
                "<Error><Code>AccessDenied</Code><Message>InvalidAccessKeyId</Message></Error>",
                None,
            ),
            ("<Error><Code>RequestTimeTooSkewed</Code></Error>", None),
            ("<Error><Code>InvalidAccessKeyId", None),
            (r#"{"__type":"AccessDeniedException"}"#, None),
            (r#"{"__type":["UnrecognizedClientException"]}"#, None),
            (r#"{"__type":"#, None),
            ("", None),
        ] {
            assert_eq!(of_body(body.as_bytes()), expected, "{body}");
        }
        assert_eq!(of_body(b"\xff"), None);
    }

    #[test]
    fn a_head_tells_it_too() {
        for (value, expected) in [
            (
                "UnrecognizedClientException:http://internal.amazon.com/coral/com.amazon.coral.service/",
                Some(KeyError::Unknown),
            ),
            ("InvalidSignatureException", Some(KeyError::Mismatch)),
            ("AccessDeniedException", None),
        ] {
            let head = format!("HTTP/1.1 400 Bad Request\r\nx-amzn-errortype: {value}\r\n\r\n");
            let mut storage = FieldStorage::new();
            let head = ResponseHead::parse(head.as_bytes(), false, &mut storage).unwrap();
            assert_eq!(of_head(&head), expected, "{value}");
        }
    }
}
