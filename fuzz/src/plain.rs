//! The plainest reader of heads there is, and what it says of ours.

use crate::http1::{
    FieldStorage, Framing, HeadScan, Known, RequestHead, ResponseHead, Version, field,
};

use crate::ours::Role;
use crate::reading::{Bytes, Field};

/// Reads the head that the input begins with.
///
/// # Panics
/// When the codec accepts it and says something else about it.
pub fn is_the_same(role: Role, input: &[u8]) {
    let mut scan = match role {
        Role::Requests => HeadScan::request(),
        Role::Answers(_) => HeadScan::default(),
    };
    let Ok(Some(length)) = scan.advance(input) else {
        return;
    };
    let head = &input[..length];
    let mut storage = FieldStorage::new();
    match role {
        Role::Requests => {
            if let Ok(request) = RequestHead::parse(head, &mut storage) {
                let plain = Head::read(head);
                plain.is_request(&request);
            }
        }
        Role::Answers(_) => {
            if let Ok(answer) = ResponseHead::parse(head, false, &mut storage) {
                let plain = Head::read(head);
                plain.is_answer(&answer);
            }
        }
    }
}

/// Lines by CR LF, words by one space, names up to the first colon.
#[derive(Debug)]
struct Head {
    first: Bytes,
    fields: Vec<Field>,
}

impl Head {
    fn read(head: &[u8]) -> Self {
        let head = head.strip_prefix(b"\r\n").unwrap_or(head);
        let mut lines = Vec::new();
        let mut rest = head;
        while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
            lines.push(&rest[..end]);
            rest = &rest[end + 2..];
        }
        assert_eq!((lines.pop(), rest), (Some(&b""[..]), &b""[..]));
        let field = |line: &&[u8]| field(line).expect("a colon in each line");
        Self {
            first: lines[0].into(),
            fields: lines[1..].iter().map(field).collect(),
        }
    }

    /// The values of the fields of this name.
    fn values(&self, name: &str) -> Vec<&Bytes> {
        let named = |field: &&Field| field.0.0.eq_ignore_ascii_case(name.as_bytes());
        self.fields
            .iter()
            .filter(named)
            .map(|field| &field.1)
            .collect()
    }

    /// Whether Connection has this option.
    fn connection_has(&self, option: &str) -> bool {
        self.values("connection").iter().any(|value| {
            let mut options = value.0.split(|byte| *byte == b',').map(trimmed);
            options.any(|each| each.eq_ignore_ascii_case(option.as_bytes()))
        })
    }

    /// Whether HTTP/1.0 keeps the connection: an option beside what is no token
    /// is overlooked by some.
    fn is_kept(&self) -> bool {
        let ascii = |field: &&Field| field.1.0.is_ascii();
        let plain = Self {
            first: self.first.clone(),
            fields: self.fields.iter().filter(ascii).cloned().collect(),
        };
        plain.connection_has("keep-alive")
    }

    fn is_request(&self, request: &RequestHead<'_, '_>) {
        let minor = if request.version == Version::Http11 {
            1
        } else {
            0
        };
        let first = format!("{} {} HTTP/1.{minor}", request.method, request.target);
        assert_eq!(self.first, first.as_str().into());
        assert_eq!(self.fields, owned(request.fields));
        assert!(
            !request
                .target
                .contains(|c: char| c.is_ascii_control() || c == ' ')
        );
        let hosts = self.values("host");
        assert_eq!(hosts.first().map(|host| &host.0[..]), request.host);
        assert!(hosts.len() <= 1 && hosts.len() >= minor);
        assert_eq!(
            request.close,
            self.connection_has("close") || minor == 0 && !self.is_kept()
        );
        for (name, _) in &self.fields {
            let name = std::str::from_utf8(&name.0).expect("a name is a token");
            let lower = name.to_ascii_lowercase();
            assert!(!request.names_fields || request.is_named(name) == self.connection_has(&lower));
        }
        self.is_framed(request.framing, Framing::None, minor == 0);
    }

    fn is_answer(&self, answer: &ResponseHead<'_, '_>) {
        let status = answer.status.to_string();
        assert!(answer.status_and_reason.starts_with(status.as_bytes()));
        let line = &self.first.0;
        assert_eq!(
            &line["HTTP/1.1 ".len().min(line.len())..],
            answer.status_and_reason
        );
        assert_eq!(self.fields, owned(answer.fields));
        let old = line.starts_with(b"HTTP/1.0");
        assert_eq!(
            answer.close,
            self.connection_has("close")
                || old && !self.is_kept()
                || answer.framing == Framing::UntilClose
        );
        if matches!(answer.status, 100..=199 | 204 | 304) {
            assert_eq!(answer.framing, Framing::None);
        } else {
            self.is_framed(answer.framing, Framing::UntilClose, old);
        }
    }

    fn is_framed(&self, framing: Framing, undeclared: Framing, old: bool) {
        let lengths = self.values("content-length");
        let codings = self.values("transfer-encoding");
        match (lengths.as_slice(), codings.as_slice()) {
            ([], []) => assert_eq!(framing, undeclared),
            ([length], []) => {
                let text = std::str::from_utf8(&length.0).expect("digits");
                assert!(text.bytes().all(|byte| byte.is_ascii_digit()));
                assert_eq!(text.parse().map(Framing::Length), Ok(framing));
            }
            ([], [coding]) => {
                assert!(!old, "chunks before there were any");
                assert!(coding.0.eq_ignore_ascii_case(b"chunked"));
                assert_eq!(framing, Framing::Chunked);
            }
            _ => panic!("framed twice: {self:?}"),
        }
    }
}

fn owned(fields: &[field::Field<'_>]) -> Vec<Field> {
    let lengths = [
        (Known::ContentLength, "content-length"),
        (Known::TransferEncoding, "transfer-encoding"),
        (Known::Host, "host"),
        (Known::Connection, "connection"),
    ];
    let owned = |field: &field::Field<'_>| {
        for (known, name) in lengths {
            let same = field.name.eq_ignore_ascii_case(name);
            assert_eq!(Known::of(field.name) == Some(known), same, "{}", field.name);
        }
        (field.name.into(), field.value.into())
    };
    fields.iter().map(owned).collect()
}

fn field(line: &[u8]) -> Option<Field> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    Some((name.into(), trimmed(value).into()))
}

fn trimmed(value: &[u8]) -> &[u8] {
    let dark = |byte: &u8| !matches!(byte, b' ' | b'\t');
    let start = value.iter().position(dark).unwrap_or(value.len());
    let end = value.iter().rposition(dark).map_or(start, |last| last + 1);
    &value[start..end]
}
