//! Who may hold the pod's token for the feed: our container, and nobody else.

use credence_core::names;

use super::pod::Pod;
use super::{Denial, InjectSettings, sidecar};

/// What stands under our names already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing.
    Nothing,
    /// The sidecar as we inject it.
    Sidecar,
}

/// Looks for what would give the token to a container other than ours.
pub(super) fn check(pod: &Pod<'_>, settings: &InjectSettings) -> Result<Found, Denial> {
    let found = sidecar_of(pod, settings)?;
    for volume in pod.volumes() {
        let is_token = volume.name == names::TOKEN_VOLUME;
        if is_token && found == Found::Nothing {
            return Err(Denial::TokenVolume);
        }
        if !is_token && volume.has_audience(names::AUDIENCE) {
            return Err(Denial::TokenAudience(volume.name.to_owned()));
        }
    }
    // Also before the volume exists: the mount would find it once we add it.
    pod.all_containers()
        .find(|c| c.name != names::CONTAINER && c.mounts(names::TOKEN_VOLUME))
        .map_or(Ok(found), |c| Err(Denial::TokenMount(c.name.to_owned())))
}

fn sidecar_of(pod: &Pod<'_>, settings: &InjectSettings) -> Result<Found, Denial> {
    let named = |name: &str| name == names::CONTAINER;
    if pod.spec.containers.iter().any(|c| named(c.name)) {
        return Err(Denial::ContainerName);
    }
    let mut sidecars = pod.init_containers().iter().filter(|c| named(c.name));
    match (sidecars.next(), sidecars.next()) {
        (None, _) => Ok(Found::Nothing),
        (Some(only), None) if sidecar::is_ours(only, settings) => Ok(Found::Sidecar),
        (Some(_), _) => Err(Denial::ContainerName),
    }
}
