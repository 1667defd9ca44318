//! A request, as the demo's client sends it and as its provider gets it.

use hyper::Method;
use hyper::header::{AsHeaderName, HeaderMap, HeaderValue, IntoHeaderName};

/// A request without its host.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// The method.
    pub(crate) method: Method,
    /// Path and query.
    pub(crate) target: String,
    /// The header fields.
    pub(crate) headers: HeaderMap,
    /// The body; empty where there is none.
    pub(crate) body: String,
}

impl Request {
    /// One without a body.
    pub(crate) fn get(target: &str) -> Self {
        Self {
            method: Method::GET,
            target: target.to_owned(),
            headers: HeaderMap::new(),
            body: String::new(),
        }
    }

    /// One with a JSON body.
    pub(crate) fn post(target: &str, body: &str) -> Self {
        let mut request = Self::get(target);
        request.method = Method::POST;
        request.set("content-type", "application/json");
        request.body = body.to_owned();
        request
    }

    /// The same, with this header.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.set(name, value);
        self
    }

    /// Sets a header; a value that no header can have is left out.
    pub(crate) fn set(&mut self, name: impl IntoHeaderName, value: &str) {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
    }

    /// The first value of a header, if it is text.
    pub(crate) fn header(&self, name: impl AsHeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}
