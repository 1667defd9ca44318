//! What a container of a pod must look like to be a sidecar of ours. Written
//! once, for the injector, which finds one in a pod that it reviews, and for the
//! feed, which asks whose token it is shown.
//!
//! The name proves nothing, and neither does the image alone: started with
//! another program it hands the pod's token to its author, and pointed at
//! another feed it shows it there itself. What other webhooks may rightly change
//! (resources, mounts elsewhere, further variables) is not looked at.

use std::collections::BTreeSet;

use credence_core::names;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::digest::sha256_hex;

/// As many authorities as are ever given to one pod, and some more: what a
/// pod's author writes is kept for each pod.
const MOST_ROOTS: usize = 16;

/// What a container says about itself, of all that decides here.
#[derive(Clone, Debug, Default)]
pub struct Traits<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its image.
    pub image: &'a str,
    /// `Always` makes a sidecar of an init container.
    pub restart_policy: &'a str,
    /// Whether it has a command or arguments of its own.
    pub has_command: bool,
    /// Whether a kubelet would run something in it besides its program: a hook,
    /// or a probe that is a command.
    pub is_entered: bool,
    /// Where something is mounted.
    pub mount_paths: Vec<&'a str>,
    /// Whether variables come from other objects as a whole.
    pub has_env_from: bool,
    /// Its variables, at least those that [`is_told`] knows.
    pub variables: Vec<(&'a str, Option<&'a str>)>,
}

/// A native sidecar that is named like ours and runs what its image runs.
///
/// It is kept for each pod, so digests stand for what the pod's author wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundSidecar {
    /// Its image.
    pub image: String,
    /// Whom it shows the pod's token; none where the pod does not say so in as
    /// many words.
    pub feed: Option<DialledFeed>,
}

/// A feed, as a sidecar is told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialledFeed {
    /// Hexadecimal SHA-256 of its `host:port`.
    address: String,
    /// Hexadecimal SHA-256 of each root that its certificate may chain to.
    roots: BTreeSet<String>,
}

/// Whether this is one of the variables that decide here.
pub fn is_told(variable: &str) -> bool {
    [
        names::FEED_VARIABLE,
        names::FEED_CA_VARIABLE,
        names::TOKEN_VARIABLE,
    ]
    .contains(&variable)
}

/// The file with the pod's token for the feed.
pub(super) fn token_file() -> String {
    format!("{}/{}", names::TOKEN_DIRECTORY, names::TOKEN_FILE)
}

/// Whether what is mounted at `path` hides this file. An API server takes any
/// path, and the runtime on the node makes it plain.
fn covers(path: &str, file: &str) -> bool {
    let mut plain = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(plain.pop()),
            part => plain.push(part),
        }
    }
    let mut file = file.split('/').filter(|part| !part.is_empty());
    plain.into_iter().all(|part| file.next() == Some(part))
}

/// The roots of a PEM text, as a sidecar reads it; none where it would refuse
/// to start, or where there are more than anybody needs.
pub(super) fn roots(pem: &str) -> Option<BTreeSet<String>> {
    let certificates = CertificateDer::pem_slice_iter(pem.as_bytes());
    let roots: BTreeSet<String> = certificates
        .take(MOST_ROOTS + 1)
        .map(|certificate| certificate.ok().map(|der| sha256_hex(&der)))
        .collect::<Option<_>>()?;
    (1..=MOST_ROOTS).contains(&roots.len()).then_some(roots)
}

impl Traits<'_> {
    /// The sidecar, if this is one.
    pub fn sidecar(&self) -> Option<FoundSidecar> {
        let covers = |path: &&str| covers(path, names::SIDECAR_PROGRAM);
        let untouched = self.name == names::CONTAINER
            && self.restart_policy == "Always"
            && !self.has_command
            && !self.is_entered
            && !self.mount_paths.iter().any(covers);
        untouched.then(|| FoundSidecar {
            image: self.image.to_owned(),
            feed: self.feed(),
        })
    }

    fn feed(&self) -> Option<DialledFeed> {
        if self.has_env_from || self.value(names::TOKEN_VARIABLE)? != token_file() {
            return None;
        }
        Some(DialledFeed {
            address: sha256_hex(self.value(names::FEED_VARIABLE)?.as_bytes()),
            roots: roots(self.value(names::FEED_CA_VARIABLE)?)?,
        })
    }

    /// The value of a variable that is there once, and is what it says: of two
    /// with one name the last would win, and a kubelet replaces `$(NAME)` by the
    /// value of another variable.
    fn value(&self, name: &str) -> Option<&str> {
        let mut set = self.variables.iter().filter(|(set, _)| *set == name);
        match (set.next(), set.next()) {
            (Some((_, Some(value))), None) if !value.contains('$') => Some(value),
            _ => None,
        }
    }
}

impl FoundSidecar {
    /// Whether its image is a version of this one. Pods keep the image that
    /// they were created with, so after an upgrade of the operator theirs is an
    /// earlier one, and while it rolls maybe a later.
    pub fn has_image_of(&self, image: &str) -> bool {
        repository(&self.image) == repository(image)
    }

    /// Whether it shows the token to this feed alone. The address is no proof,
    /// since the pod's author can have any name lead anywhere; the authorities
    /// are: only who holds the key of one is shown the token.
    pub fn dials(&self, address: &str, trusted: impl Fn(&str) -> bool) -> bool {
        self.feed.as_ref().is_some_and(|feed| {
            feed.address == sha256_hex(address.as_bytes())
                && feed.roots.iter().all(|root| trusted(root))
        })
    }
}

impl DialledFeed {
    /// Hexadecimal SHA-256 of each root that it may have.
    pub fn roots(&self) -> impl Iterator<Item = &str> {
        self.roots.iter().map(String::as_str)
    }
}

/// An image without its tag and digest.
fn repository(image: &str) -> &str {
    let image = image.split_once('@').map_or(image, |(image, _)| image);
    match image.rsplit_once(':') {
        // A colon before a slash is a registry's port.
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => image,
    }
}

#[cfg(test)]
mod tests;
