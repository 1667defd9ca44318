//! PEM texts (RFC 7468), also those that were spoiled on their way into a
//! Secret: line breaks turned into spaces or `\n`, or lost; quotes, text or
//! other blocks around.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

const BEGIN: &str = "-----BEGIN ";
const DASHES: &str = "-----";
/// RFC 7468 §2.
const LINE: usize = 64;

/// Padding is what a careless copy loses first.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// One block of a PEM text.
pub(crate) struct Block {
    /// What stands after `BEGIN`.
    pub(crate) label: String,
    /// The content; none where it is encrypted with a password (RFC 1421
    /// §4.6).
    pub(crate) der: Option<Zeroizing<Vec<u8>>>,
}

/// A block begins but does not end, or what is between is not base64.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Broken;

/// The blocks of a text, in their order. What is around them is left out.
///
/// # Errors
/// [`Broken`]; a text without any block has none, which is no error.
pub(crate) fn blocks(text: &str) -> Result<Vec<Block>, Broken> {
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once(BEGIN) {
        let (label, after) = after.split_once(DASHES).ok_or(Broken)?;
        let end = format!("-----END {label}-----");
        let (body, after) = after.split_once(end.as_str()).ok_or(Broken)?;
        let der = match body.contains(':') {
            true => None,
            false => Some(decoded(body)?),
        };
        blocks.push(Block {
            label: label.to_owned(),
            der,
        });
        rest = after;
    }
    Ok(blocks)
}

fn decoded(body: &str) -> Result<Zeroizing<Vec<u8>>, Broken> {
    let mut base64 = Zeroizing::new(String::with_capacity(body.len()));
    let mut chars = body.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            // Of `\n` and its like both characters go; base64 has no backslash,
            // so that this takes nothing away from it.
            '\\' => {
                chars.next_if(|next| matches!(next, 'n' | 'r' | 't'));
            }
            space if space.is_whitespace() => {}
            other => base64.push(other),
        }
    }
    let der = BASE64.decode(base64.as_bytes()).map_err(|_| Broken)?;
    Ok(Zeroizing::new(der))
}

/// A block as RFC 7468 wants it, with a line feed at its end.
pub(crate) fn encode(label: &str, der: &[u8]) -> Zeroizing<String> {
    let body = Zeroizing::new(base64::engine::general_purpose::STANDARD.encode(der));
    let lines = body.len() / LINE + 4;
    // All at once: growing would leave copies of a key behind.
    let mut text = Zeroizing::new(String::with_capacity(
        body.len() + lines + 2 * label.len() + 40,
    ));
    text.extend([BEGIN, label, DASHES, "\n"]);
    for (index, c) in body.chars().enumerate() {
        if index > 0 && index % LINE == 0 {
            text.push('\n');
        }
        text.push(c);
    }
    text.extend(["\n-----END ", label, DASHES, "\n"]);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const DER: &[u8] = &[0x30; 100];

    fn read(text: &str) -> Vec<(String, Option<Vec<u8>>)> {
        blocks(text)
            .unwrap()
            .into_iter()
            .map(|block| (block.label, block.der.map(|der| der.to_vec())))
            .collect()
    }

    /// Requirement 64.
    #[test]
    fn a_spoiled_text_reads_like_the_good_one() {
        let good = encode("PRIVATE KEY", DER);
        let expected = [("PRIVATE KEY".to_owned(), Some(DER.to_vec()))];
        for spoiled in [
            good.to_string(),
            good.replace('\n', " "),
            good.replace('\n', "\\n"),
            good.replace('\n', "\\r\\n"),
            good.replace('\n', "\\\\n"),
            good.replace('\n', "\r\n"),
            good.replace('\n', ""),
            good.replace('\n', "\n    "),
            good.replace('\n', "\n\n"),
            good.replace('=', ""),
            format!("\"{}\"", good.trim_end().replace('\n', "\\n")),
            format!("'{}'", good.trim_end()),
            format!("\u{feff}Bag Attributes\n  friendlyName: x\n{}", *good),
            format!("  {}  trailing text", *good),
        ] {
            assert_eq!(read(&spoiled), expected, "{spoiled}");
        }
    }

    #[test]
    fn what_is_written_is_as_the_standard_wants_it() {
        let text = encode("X", DER);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.first(), Some(&"-----BEGIN X-----"));
        assert_eq!(lines.last(), Some(&"-----END X-----"));
        assert_eq!(lines[1].len(), 64);
        assert_eq!(lines[2].len(), 64);
        assert_eq!(lines[3].len(), 8);
        assert!(text.ends_with("-----\n"));
    }

    #[test]
    fn blocks_keep_their_order_and_encrypted_ones_have_no_content() {
        let text = "-----BEGIN A-----\nMAA=\n-----END A-----\n\
                    -----BEGIN B-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0A\n\nMAA=\n-----END B-----";
        let expected = [
            ("A".to_owned(), Some(vec![0x30, 0])),
            ("B".to_owned(), None),
        ];
        assert_eq!(read(text), expected);
        assert_eq!(read("nothing"), []);
        assert_eq!(read(""), []);
    }

    #[test]
    fn a_broken_block_is_an_error() {
        for text in [
            "-----BEGIN A",
            "-----BEGIN A-----\nMAA=",
            "-----BEGIN A-----\nMAA=\n-----END B-----",
            "-----BEGIN A-----\n!\n-----END A-----",
            "-----BEGIN A-----\nM\n-----END A-----",
        ] {
            assert_eq!(blocks(text).map(|_| ()), Err(Broken), "{text}");
        }
    }
}
