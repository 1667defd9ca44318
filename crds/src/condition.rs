//! Types and reasons of the conditions in a collection's status.
//!
//! `CredentialsResolved=False` has one of [`credence_core::reason::Reason`].

/// The object can be understood.
pub const ACCEPTED: &str = "Accepted";
/// What the object refers to is there and usable, in the namespace's
/// environment.
pub const CREDENTIALS_RESOLVED: &str = "CredentialsResolved";
/// There is a token to make calls with. Absent where calls need none.
pub const TOKEN_READY: &str = "TokenReady";
/// The API accepts the credential, as the call of `spec.verification` has shown.
/// Absent without that, and no part of `Ready`.
pub const VERIFIED: &str = "Verified";
/// Every connected sidecar that may use it has acknowledged the current version.
pub const PROGRAMMED: &str = "Programmed";
/// Accepted and resolved, and a token is there where one is needed: calls can be
/// made.
pub const READY: &str = "Ready";
/// True: of a cluster collection, that some of its namespaces have an
/// ApiCollection of the same name, which is used there. False: of that
/// ApiCollection. Absent where no names meet.
pub const SHADOWED: &str = "Shadowed";
/// True: `spec.sidecarPort` is that of another collection. Absent otherwise.
pub const PORT_CONFLICT: &str = "PortConflict";

/// True: a provider refuses the credential of connected sidecars.
pub const CREDENTIAL_REJECTED: &str = "CredentialRejected";
/// True: the provider gives no token any more before somebody grants access
/// again.
pub const REAUTHORIZATION_REQUIRED: &str = "ReauthorizationRequired";
/// True: a client certificate ends within 30 days.
pub const CERTIFICATE_EXPIRING: &str = "CertificateExpiring";
/// True: a key begins like those that its provider gives out for the other
/// environment.
pub const KEY_OF_OTHER_ENVIRONMENT: &str = "KeyOfOtherEnvironment";
/// True: live settings are used in a development namespace.
pub const DEVELOPMENT_USES_LIVE_CREDENTIALS: &str = "DevelopmentUsesLiveCredentials";
/// True: the operator may not read what the object refers to.
pub const ACCESS_FORBIDDEN: &str = "AccessForbidden";

/// All types, in the order in which they are written: the first four are
/// always there, `TokenReady` where calls need a token, `Verified` where that is
/// asked for, the others while they are true.
pub const ALL: [&str; 14] = [
    ACCEPTED,
    CREDENTIALS_RESOLVED,
    PROGRAMMED,
    READY,
    TOKEN_READY,
    VERIFIED,
    REAUTHORIZATION_REQUIRED,
    CREDENTIAL_REJECTED,
    CERTIFICATE_EXPIRING,
    KEY_OF_OTHER_ENVIRONMENT,
    DEVELOPMENT_USES_LIVE_CREDENTIALS,
    ACCESS_FORBIDDEN,
    SHADOWED,
    PORT_CONFLICT,
];

/// Reasons, apart from those of a failed resolution.
pub mod reason {
    /// `Accepted=True`.
    pub const VALID: &str = "Valid";
    /// `Accepted=False`, and what follows from it.
    pub const INVALID: &str = "Invalid";
    /// `CredentialsResolved=True`.
    pub const RESOLVED: &str = "Resolved";
    /// `CredentialsResolved=False` and `AccessForbidden=True`: the operator has no
    /// right to read there. The message holds the command that gives it.
    pub const ACCESS_FORBIDDEN: &str = "AccessForbidden";
    /// `Programmed=True`.
    pub const PROGRAMMED: &str = "Programmed";
    /// `Programmed=True`, as there is nobody to wait for.
    pub const NO_SIDECARS: &str = "NoSidecars";
    /// `Programmed=Unknown`: sidecars were sent the first version just now.
    /// `TokenReady=Unknown`: the token endpoint is asked for the first time.
    /// `Verified=Unknown`: no call was made with what is in use now.
    pub const PENDING: &str = "Pending";
    /// `Programmed=False`: a sidecar has not acknowledged for a while.
    pub const SIDECARS_BEHIND: &str = "SidecarsBehind";
    /// `Programmed=False`: a sidecar cannot use this collection.
    pub const REFUSED: &str = "Refused";
    /// `CredentialsResolved=Unknown` and `Verified=Unknown` of a cluster
    /// collection that no namespace may use.
    pub const NO_NAMESPACES: &str = "NoNamespaces";
    /// `Shadowed=True`.
    pub const SHADOWED_BY_NAMESPACE: &str = "ShadowedByNamespace";
    /// `Shadowed=False`, of the ApiCollection that is used instead.
    pub const SHADOWS_CLUSTER: &str = "ShadowsClusterCollection";
    /// `PortConflict=True`.
    pub const PORT_TAKEN: &str = "PortTaken";
    /// `TokenReady=True`, and nothing has gone wrong since.
    pub const OBTAINED: &str = "Obtained";
    /// `TokenReady=False`: nobody has put one in yet.
    pub const NO_REFRESH_TOKEN: &str = "NoRefreshToken";
    /// `Verified=True`: the API answered as expected.
    pub const VERIFICATION_SUCCEEDED: &str = "VerificationSucceeded";
    /// `Verified=False`: it answered otherwise. The message says what to do.
    pub const VERIFICATION_FAILED: &str = "VerificationFailed";
    /// `Verified=Unknown`: there is no token to make the call with.
    pub const NO_TOKEN: &str = "NoToken";
    /// `Verified=Unknown`: the operator got no answer, or does not dial the
    /// address.
    pub const UNREACHABLE: &str = "Unreachable";
    /// `Ready=True`.
    pub const READY: &str = "Ready";
    /// `CredentialRejected=True`: it was accepted before.
    pub const NO_LONGER_ACCEPTED: &str = "NoLongerAccepted";
    /// `CredentialRejected=True`: it has not been accepted since it is in use.
    pub const NEVER_ACCEPTED: &str = "NeverAccepted";
    /// `CredentialRejected=True`: a token that was obtained because the one
    /// before it was refused, is refused, too.
    pub const FRESH_TOKEN_REFUSED: &str = "FreshTokenRefused";
    /// `CredentialRejected=True`: TLS ended at the client certificate.
    pub const CLIENT_CERTIFICATE_REFUSED: &str = "ClientCertificateRefused";
    /// Of an Event: `CredentialRejected` is gone.
    pub const NO_LONGER_REJECTED: &str = "NoLongerRejected";
    /// `CertificateExpiring=True`, for a month.
    pub const EXPIRES_WITHIN_30_DAYS: &str = "ExpiresWithin30Days";
    /// `CertificateExpiring=True`, for a week.
    pub const EXPIRES_WITHIN_7_DAYS: &str = "ExpiresWithin7Days";
    /// `CertificateExpiring=True`, on the last day.
    pub const EXPIRES_WITHIN_1_DAY: &str = "ExpiresWithin1Day";
    /// `KeyOfOtherEnvironment=True`.
    pub const WELL_KNOWN_PREFIX: &str = "WellKnownPrefix";
    /// `DevelopmentUsesLiveCredentials=True`.
    pub const DEVELOPMENT_FALLBACK: &str = "DevelopmentFallback";
}
