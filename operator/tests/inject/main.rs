//! The injector, from a Pod or an AdmissionReview to what comes of it.

#![expect(
    clippy::unwrap_used,
    reason = "what fails outside a #[test] fails the test all the same"
)]

mod again;
mod annotations;
mod decisions;
mod fixture;
mod golden;
mod layout;
mod likeness;
mod properties;
mod restricted;
mod review;
