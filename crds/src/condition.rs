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
/// True: of a cluster collection, that some of its namespaces have an
/// ApiCollection of the same name, which is used there. False: of that
/// ApiCollection. Absent where no names meet.
pub const SHADOWED: &str = "Shadowed";
/// True: `spec.sidecarPort` is that of another collection. Absent otherwise.
pub const PORT_CONFLICT: &str = "PortConflict";

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
    /// `CredentialsResolved=Unknown` of a cluster collection that no namespace
    /// may use.
    pub const NO_NAMESPACES: &str = "NoNamespaces";
    /// `Shadowed=True`.
    pub const SHADOWED_BY_NAMESPACE: &str = "ShadowedByNamespace";
    /// `Shadowed=False`, of the ApiCollection that is used instead.
    pub const SHADOWS_CLUSTER: &str = "ShadowsClusterCollection";
    /// `PortConflict=True`.
    pub const PORT_TAKEN: &str = "PortTaken";
    /// `Ready=True`.
    pub const READY: &str = "Ready";
}
