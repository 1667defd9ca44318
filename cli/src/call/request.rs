//! The request that arguments mean.

use std::fs;
use std::io::{self, Read};

use http::header::{CONTENT_TYPE, HOST, InvalidHeaderName, InvalidHeaderValue, USER_AGENT};
use http::uri::InvalidUri;
use http::{HeaderName, HeaderValue, Method, Request, Uri};
use http_body_util::Full;
use hyper::body::Bytes;

use crate::args::CallArgs;

const AGENT: HeaderValue = HeaderValue::from_static("credence-call");
const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");

/// The arguments mean no request.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    /// It has a space, or what else no URL has.
    #[error("the path is not one of a URL ({0}): escape it, a space as %20")]
    Path(#[from] InvalidUri),
    /// It has no colon.
    #[error("--header \"{0}\" is no header field: write \"NAME: VALUE\"")]
    Header(String),
    /// Its name is none.
    #[error("--header: {0}")]
    Name(#[from] InvalidHeaderName),
    /// Its value is none.
    #[error("--header: {0}")]
    Value(#[from] InvalidHeaderValue),
    /// The file of the body cannot be read.
    #[error("cannot read {path}: {source}")]
    File {
        /// As it was given.
        path: String,
        /// Why not.
        source: io::Error,
    },
}

/// The request; `input` is the standard input.
///
/// # Errors
/// [`Unusable`].
pub(super) fn of(args: &CallArgs, input: &mut impl Read) -> Result<Request<Full<Bytes>>, Unusable> {
    let slash = if args.path.starts_with('/') { "" } else { "/" };
    let target: Uri = format!("/{}{slash}{}", args.collection, args.path).parse()?;
    let data = args.data.as_deref().map(|data| body(data, input));
    let data = data.transpose()?;
    let method = args.request.clone().unwrap_or(match data {
        Some(_) => Method::POST,
        None => Method::GET,
    });
    let mut request = Request::new(Full::default());
    *request.method_mut() = method;
    *request.uri_mut() = target;
    let headers = request.headers_mut();
    // By this name every proxy of ours can be called.
    let host = match (&args.namespace, &args.pod) {
        (None, None) => args.proxy.as_str(),
        _ => "localhost",
    };
    headers.insert(HOST, host.parse()?);
    for field in &args.headers {
        let (name, value) = field
            .split_once(':')
            .ok_or_else(|| Unusable::Header(field.clone()))?;
        let name: HeaderName = name.trim().parse()?;
        headers.append(name, value.trim().parse()?);
    }
    headers.entry(USER_AGENT).or_insert(AGENT);
    if let Some(data) = data {
        headers.entry(CONTENT_TYPE).or_insert(FORM);
        *request.body_mut() = Full::new(data);
    }
    Ok(request)
}

fn body(data: &str, input: &mut impl Read) -> Result<Bytes, Unusable> {
    let Some(path) = data.strip_prefix('@') else {
        return Ok(Bytes::copy_from_slice(data.as_bytes()));
    };
    let read = match path {
        "-" => {
            let mut bytes = Vec::new();
            input.read_to_end(&mut bytes).map(|_| bytes)
        }
        path => fs::read(path),
    };
    read.map(Bytes::from).map_err(|source| Unusable::File {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::{Command, CommandLine};

    fn read(arguments: &[&str]) -> Result<Request<Full<Bytes>>, Unusable> {
        let line = CommandLine::parse_from(["credence", "call"].iter().chain(arguments));
        let Command::Call(args) = line.command else {
            panic!("{arguments:?}");
        };
        of(&args, &mut "from the input".as_bytes())
    }

    fn shown(arguments: &[&str]) -> String {
        let request = read(arguments).unwrap();
        let headers = request.headers().iter();
        let headers: Vec<_> = headers
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        format!(
            "{} {} {}",
            request.method(),
            request.uri(),
            headers.join(", ")
        )
    }

    #[test]
    fn a_call_is_what_curl_would_make_of_it() {
        let agent = "host: localhost:2733, user-agent: credence-call";
        for (arguments, expected) in [
            (&["crm"][..], format!("GET /crm/ {agent}")),
            (&["crm", "items?x=1"], format!("GET /crm/items?x=1 {agent}")),
            (
                &["crm", "/a", "-X", "DELETE"],
                format!("DELETE /crm/a {agent}"),
            ),
            (
                &["crm", "/a", "-d", "x=1"],
                format!("POST /crm/a {agent}, content-type: application/x-www-form-urlencoded"),
            ),
            (
                &[
                    "crm",
                    "/a",
                    "-XPUT",
                    "-d",
                    "{}",
                    "-H",
                    "content-type: application/json",
                ],
                "PUT /crm/a host: localhost:2733, content-type: application/json, \
                 user-agent: credence-call"
                    .to_owned(),
            ),
            (
                &["crm", "-n", "shop", "-H", "A: 1", "-H", "a:2"],
                "GET /crm/ host: localhost, a: 1, a: 2, user-agent: credence-call".to_owned(),
            ),
        ] {
            assert_eq!(shown(arguments), expected);
        }
    }

    #[test]
    fn a_body_comes_from_the_line_a_file_or_the_input() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "from\na file").unwrap();
        let path = format!("@{}", file.path().display());
        for (data, expected) in [
            ("plain", "plain"),
            ("@-", "from the input"),
            (path.as_str(), "from\na file"),
        ] {
            let bytes = body(data, &mut "from the input".as_bytes()).unwrap();
            assert_eq!(bytes, expected);
        }
        let missing = body("@/nowhere/at-all", &mut io::empty());
        assert!(matches!(missing, Err(Unusable::File { .. })));
    }

    #[test]
    fn what_is_no_request_says_why() {
        for (arguments, reason) in [
            (["crm", "/a b", "-i"], "a space as %20"),
            (["crm", "-H", "no-colon"], "write \"NAME: VALUE\""),
            (["crm", "-H", "a b: c"], "--header"),
            (["crm", "-H", "a: \u{7f}"], "--header"),
        ] {
            let error = read(&arguments).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
}
