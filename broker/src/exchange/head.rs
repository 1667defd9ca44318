//! Heads of requests and answers, as hyper has them and as we do.

use bytes::Bytes;
use credence_core::token::Message;
use http::header::{HOST, HeaderMap, HeaderName, HeaderValue};
use http::{Request, Uri, Version};
use http_body_util::Full;
use zeroize::Zeroizing;

use super::NotSent;

/// The request as a version of HTTP wants it.
pub(super) fn request(message: Message, version: Version) -> Result<Request<Full<Bytes>>, NotSent> {
    let endpoint = &message.endpoint;
    let authority = endpoint.authority();
    let target = endpoint.target().expose();
    let unwritable = |name: &str| NotSent::Header(name.to_owned());
    let uri = match version {
        Version::HTTP_2 => Uri::builder()
            .scheme(endpoint.scheme().as_str())
            .authority(authority.as_str())
            .path_and_query(target)
            .build(),
        _ => Uri::builder().path_and_query(target).build(),
    };
    let body = message.body.map(Bytes::from_owner);
    let mut request = Request::new(Full::new(body.unwrap_or_default()));
    *request.method_mut() = message.method.parse().map_err(|_| unwritable(":method"))?;
    *request.uri_mut() = uri.map_err(|_| unwritable(":path"))?;
    let headers = request.headers_mut();
    if version != Version::HTTP_2 {
        let host = HeaderValue::from_str(&authority).map_err(|_| unwritable("Host"))?;
        headers.insert(HOST, host);
    }
    for (name, value) in &message.headers {
        let parsed = HeaderName::from_bytes(name.as_bytes()).ok();
        let mut value =
            HeaderValue::from_bytes(value.expose().as_bytes()).map_err(|_| unwritable(name))?;
        value.set_sensitive(true);
        headers.append(parsed.ok_or_else(|| unwritable(name))?, value);
    }
    Ok(request)
}

/// The fields of an answer's head, in their order.
pub(super) fn fields(headers: &HeaderMap) -> Vec<(String, Zeroizing<Vec<u8>>)> {
    headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec().into()))
        .collect()
}
