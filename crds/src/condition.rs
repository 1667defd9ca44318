//! Types and reasons of the conditions in a collection's status.
//!
//! `CredentialsResolved=False` has one of [`credence_core::reason::Reason`].

/// The object can be understood.
pub const ACCEPTED: &str = "Accepted";
/// What the object refers to is there and usable, in the namespace's
/// environment.
pub const CREDENTIALS_RESOLVED: &str = "CredentialsResolved";
/// Every connected sidecar that may use it has acknowledged the current version.
pub const PROGRAMMED: &str = "Programmed";
/// Accepted and resolved: calls can be made.
pub const READY: &str = "Ready";

/// Reasons, apart from those of a failed resolution.
pub mod reason {
    /// `Accepted=True`.
    pub const VALID: &str = "Valid";
    /// `Accepted=False`, and what follows from it.
    pub const INVALID: &str = "Invalid";
    /// `CredentialsResolved=True`.
    pub const RESOLVED: &str = "Resolved";
    /// `CredentialsResolved=True`, by live settings in a development namespace.
    pub const DEVELOPMENT_USES_LIVE_CREDENTIALS: &str = "DevelopmentUsesLiveCredentials";
    /// `CredentialsResolved=False`: the operator has no right to read there. The
    /// message holds the command that gives it.
    pub const ACCESS_FORBIDDEN: &str = "AccessForbidden";
    /// `Programmed=True`.
    pub const PROGRAMMED: &str = "Programmed";
    /// `Programmed=True`, as there is nobody to wait for.
    pub const NO_SIDECARS: &str = "NoSidecars";
    /// `Programmed=Unknown`: sidecars were sent the first version just now.
    pub const PENDING: &str = "Pending";
    /// `Programmed=False`: a sidecar has not acknowledged for a while.
    pub const SIDECARS_BEHIND: &str = "SidecarsBehind";
    /// `Programmed=False`: a sidecar cannot use this collection.
    pub const REFUSED: &str = "Refused";
    /// `Ready=True`.
    pub const READY: &str = "Ready";
}
