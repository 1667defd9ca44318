//! What tells one order from another.

use aws_lc_rs::digest::{Context, SHA256};

use super::{Capture, CaptureFrom, Digest, ExpiresKind, HostPattern, ResponseShape, Success};

/// SHA-256 of several texts, of which each is told from its neighbours.
pub(crate) struct Fingerprint(Context);

impl Fingerprint {
    pub(crate) fn new() -> Self {
        Self(Context::new(&SHA256))
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.0.update(bytes);
    }

    /// How many texts, or groups of them, come next.
    pub(crate) fn count(&mut self, count: usize) {
        self.0.update(&(count as u64).to_be_bytes());
    }

    pub(crate) fn shape(&mut self, shape: &ResponseShape) {
        self.text(shape.access_token.as_str());
        self.text(shape.expires.as_str());
        self.text(match shape.expires_kind {
            ExpiresKind::Auto => "auto",
            ExpiresKind::Seconds => "seconds",
            ExpiresKind::Milliseconds => "milliseconds",
            ExpiresKind::EpochSeconds => "epoch-seconds",
            ExpiresKind::EpochMilliseconds => "epoch-milliseconds",
            ExpiresKind::Rfc3339 => "rfc3339",
            ExpiresKind::DaysHoursMinutes => "days-hours-minutes",
        });
        self.text(shape.refresh_token.as_str());
        let base_url = shape.base_url.iter();
        self.count(base_url.len());
        base_url.for_each(|path| self.text(path.as_str()));
        self.captures(&shape.capture);
        self.success(shape.success.as_ref());
    }

    pub(crate) fn captures(&mut self, captures: &[Capture]) {
        self.count(captures.len());
        for capture in captures {
            self.text(&capture.name);
            let (place, name) = match &capture.from {
                CaptureFrom::Body(path) => ("body", path.as_str()),
                CaptureFrom::Header(name) => ("header", name.as_str()),
                CaptureFrom::Cookie(name) => ("cookie", name.as_str()),
            };
            self.text(place);
            self.text(name);
        }
    }

    pub(crate) fn success(&mut self, success: Option<&Success>) {
        self.count(success.iter().len());
        if let Some(success) = success {
            self.text(success.path.as_str());
            self.text(&success.equals);
        }
    }

    pub(crate) fn hosts(&mut self, allowed: &[HostPattern]) {
        self.count(allowed.len());
        for pattern in allowed {
            self.text(&pattern.to_string());
        }
    }

    pub(crate) fn finish(self) -> Digest {
        let mut digest = [0; 32];
        digest.copy_from_slice(self.0.finish().as_ref());
        digest
    }
}
