//! What can come of looking at a pod.

use std::fmt;

use credence_core::names;

use super::{InvalidWish, Patch};

/// What happens to a pod.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// It gets a sidecar.
    Inject(Injection),
    /// It is left as it is, and admitted.
    Skip(Skip),
    /// It is not admitted.
    Deny(Denial),
}

/// How a pod gets its sidecar.
#[derive(Clone, Debug, PartialEq)]
pub struct Injection {
    /// Whether it had the sidecar, and another webhook has changed the pod
    /// since in a way that asks for more.
    pub completes: bool,
    /// The changes to the pod.
    pub patch: Patch,
    /// What its author should know.
    pub warnings: Vec<Warning>,
}

impl Injection {
    /// As metrics and logs spell it.
    pub const fn reason(&self) -> &'static str {
        if self.completes {
            "completed"
        } else {
            "opted-in"
        }
    }
}

/// Why a pod is left as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skip {
    /// Its label says so.
    OptedOut,
    /// The sidecar is there.
    AlreadyInjected,
    /// A static pod's image in the API, which nobody can change.
    MirrorPod,
    /// The sidecar is a Linux program.
    Windows,
    /// Its loopback is the node's, where other pods would find the proxy.
    HostNetwork,
    /// Its containers could read the sidecar's memory, and with it live
    /// credentials.
    SharedProcesses,
}

impl Skip {
    /// As metrics and logs spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OptedOut => "opted-out",
            Self::AlreadyInjected => "already-injected",
            Self::MirrorPod => "mirror-pod",
            Self::Windows => "windows",
            Self::HostNetwork => "host-network",
            Self::SharedProcesses => "shared-processes",
        }
    }

    /// What the pod's author is told, where he may have expected a sidecar.
    pub const fn warning(self) -> Option<&'static str> {
        match self {
            Self::OptedOut | Self::AlreadyInjected | Self::MirrorPod => None,
            Self::Windows => Some("no credence sidecar: it does not run on Windows"),
            Self::HostNetwork => Some(
                "no credence sidecar: with hostNetwork every pod of the node could use it. \
                 Remove hostNetwork, or opt the pod out",
            ),
            Self::SharedProcesses => Some(
                "no credence sidecar: with shareProcessNamespace the other containers could read \
                 live credentials in its memory. Remove it, or use the development environment",
            ),
        }
    }
}

/// Why a pod is not admitted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// One of its annotations cannot be followed.
    #[error(transparent)]
    Wish(#[from] InvalidWish),
    /// It brings a container of our name that is not what we would inject.
    #[error(
        "the pod brings a container {:?}, which is the name of the sidecar. Rename it; if it is a \
         sidecar that was injected earlier, remove it and the volume {:?}, and it will be injected \
         anew",
        names::CONTAINER,
        names::TOKEN_VOLUME
    )]
    ContainerName,
    /// It brings a volume of the name that its token will have.
    #[error(
        "the pod brings a volume {:?}, which is the name of the sidecar's. Rename it",
        names::TOKEN_VOLUME
    )]
    TokenVolume,
    /// It asks for a token of its own for the feed.
    #[error(
        "volume {0:?} projects a ServiceAccount token for the audience {audience:?}, which only \
         the sidecar may hold. Remove it",
        audience = names::AUDIENCE
    )]
    TokenAudience(String),
    /// Another container mounts the sidecar's token.
    #[error(
        "container {0:?} mounts the volume {volume:?}, which only the sidecar may read. Remove \
         the mount",
        volume = names::TOKEN_VOLUME
    )]
    TokenMount(String),
    /// It cannot be read. The API server sends no such object.
    #[error(
        "this is not a Pod: metadata, spec, spec.containers or a part of them is missing or of \
         another type"
    )]
    NotAPod,
}

impl Denial {
    /// As metrics and logs spell it.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Wish(invalid) => invalid.as_str(),
            Self::ContainerName => "container-name",
            Self::TokenVolume => "token-volume",
            Self::TokenAudience(_) => "token-audience",
            Self::TokenMount(_) => "token-mount",
            Self::NotAPod => "not-a-pod",
        }
    }
}

/// What the author of an injected pod should know. Messages stay under the
/// 256 characters beyond which an API server may cut them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// The pod's label is neither `true` nor `false`.
    InjectLabel,
    /// The pod's annotation asks for something other than development.
    EnvironmentAnnotation,
    /// A container's calls to localhost go to an egress proxy.
    EgressProxy {
        /// Its name.
        container: String,
        /// The variable that names the proxy.
        variable: &'static str,
    },
    /// There is no init container of the name that the sidecar should follow.
    StartAfter,
    /// Nothing gets out of the pod before its last containers start.
    CutOff,
    /// The pod does not ask the cluster's DNS.
    NodeDns,
    /// A container says that it has a port which is the sidecar's.
    PortTaken {
        /// Its name.
        container: String,
        /// The port.
        port: u16,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InjectLabel => write!(
                f,
                "label {}: only \"true\" and \"false\" mean something; the namespace's label decided",
                names::INJECT
            ),
            Self::EnvironmentAnnotation => write!(
                f,
                "annotation {}: a pod can only ask for \"development\"; anything else is ignored, \
                 and the namespace's label decides",
                names::ENVIRONMENT
            ),
            Self::EgressProxy {
                container,
                variable,
            } => write!(
                f,
                "container \"{container}\": {variable} is set and NO_PROXY does not name localhost, \
                 so calls to the credence sidecar may go to the egress proxy"
            ),
            Self::StartAfter => write!(
                f,
                "annotation {}: the pod has no init container of that name (yet), so the sidecar \
                 starts where it would without",
                names::START_AFTER
            ),
            Self::CutOff => write!(
                f,
                "the mesh cuts the pod off until its proxy runs, which is after the init \
                 containers. The app starts without waiting for its collections, as with {}: \
                 \"false\"",
                names::AWAIT
            ),
            Self::NodeDns => f.write_str(
                "dnsPolicy: Default asks the node's DNS servers, which usually do not know the \
                 cluster's Services: the credence sidecar will not find its feed, and the pod not \
                 start. Leave dnsPolicy out",
            ),
            Self::PortTaken { container, port } => write!(
                f,
                "container \"{container}\" declares port {port}, which the credence sidecar uses{}",
                match *port {
                    names::SIDECAR_ADMIN_PORT => String::new(),
                    _ => format!(
                        ". Move the sidecar with the annotation {}",
                        names::SIDECAR_PORT
                    ),
                }
            ),
        }
    }
}
