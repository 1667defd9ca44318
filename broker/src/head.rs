//! Heads of requests and answers, as hyper has them and as we do.

use bytes::Bytes;
use credence_core::Secret;
use credence_core::base_url::Scheme;
use http::header::{HOST, HeaderMap, HeaderName, HeaderValue};
use http::{Request, Uri, Version};
use http_body_util::Full;
use zeroize::Zeroizing;

/// A request, before it is known by which version of HTTP it goes.
pub(crate) struct Outgoing<'a> {
    pub(crate) method: &'a str,
    pub(crate) scheme: Scheme,
    /// The value of `Host`.
    pub(crate) authority: &'a str,
    /// Path and query.
    pub(crate) target: &'a Secret,
    /// All but `Host` and those of the framing.
    pub(crate) headers: &'a [(String, Secret)],
    pub(crate) body: Bytes,
}

/// A part of a head that HTTP does not have, by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unwritable(pub(crate) String);

impl Outgoing<'_> {
    /// The request as a version of HTTP wants it.
    pub(crate) fn request(self, version: Version) -> Result<Request<Full<Bytes>>, Unwritable> {
        let unwritable = |name: &str| Unwritable(name.to_owned());
        let target = self.target.expose();
        let uri = match version {
            Version::HTTP_2 => Uri::builder()
                .scheme(self.scheme.as_str())
                .authority(self.authority)
                .path_and_query(target)
                .build(),
            _ => Uri::builder().path_and_query(target).build(),
        };
        let mut request = Request::new(Full::new(self.body));
        *request.method_mut() = self.method.parse().map_err(|_| unwritable(":method"))?;
        *request.uri_mut() = uri.map_err(|_| unwritable(":path"))?;
        let headers = request.headers_mut();
        if version != Version::HTTP_2 {
            let host = HeaderValue::from_str(self.authority).map_err(|_| unwritable("Host"))?;
            headers.insert(HOST, host);
        }
        for (name, value) in self.headers {
            let parsed = HeaderName::from_bytes(name.as_bytes()).ok();
            let mut value =
                HeaderValue::from_bytes(value.expose().as_bytes()).map_err(|_| unwritable(name))?;
            value.set_sensitive(true);
            headers.append(parsed.ok_or_else(|| unwritable(name))?, value);
        }
        Ok(request)
    }
}

/// The fields of an answer's head, in their order.
pub(crate) fn fields(headers: &HeaderMap) -> Vec<(String, Zeroizing<Vec<u8>>)> {
    headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec().into()))
        .collect()
}
