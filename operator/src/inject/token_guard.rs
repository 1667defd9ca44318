//! Who may hold the pod's token for the feed: our container, and nobody else.

use credence_core::names;

use super::pod::{Container, Pod};
use super::{Denial, InjectSettings, sidecar};

/// What stands under our names already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing.
    Nothing,
    /// The sidecar as we inject it, at this place among the init containers.
    Sidecar(usize),
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
    mounted_elsewhere(pod).map_or(Ok(found), |container| {
        Err(Denial::TokenMount(container.name.to_owned()))
    })
}

/// The same for a pod that gets no sidecar. It may use our names as it likes,
/// but for the token there is still nobody else.
pub(super) fn check_bystander(pod: &Pod<'_>, settings: &InjectSettings) -> Result<(), Denial> {
    let mut volumes = pod.volumes().iter();
    let Some(volume) = volumes.find(|volume| volume.has_audience(names::AUDIENCE)) else {
        return Ok(());
    };
    match sidecar_of(pod, settings) {
        // Put in without the webhook, by `credence inject`.
        Ok(Found::Sidecar(_)) => check(pod, settings).map(|_| ()),
        Ok(Found::Nothing) | Err(_) => Err(Denial::TokenAudience(volume.name.to_owned())),
    }
}

fn mounted_elsewhere<'p, 'a>(pod: &'p Pod<'a>) -> Option<&'p Container<'a>> {
    pod.all_containers()
        .find(|c| c.name != names::CONTAINER && c.mounts(names::TOKEN_VOLUME))
}

fn sidecar_of(pod: &Pod<'_>, settings: &InjectSettings) -> Result<Found, Denial> {
    let named = |name: &str| name == names::CONTAINER;
    if pod.spec.containers.iter().any(|c| named(c.name)) {
        return Err(Denial::ContainerName);
    }
    let init = pod.init_containers().iter().enumerate();
    let mut sidecars = init.filter(|(_, container)| named(container.name));
    match (sidecars.next(), sidecars.next()) {
        (None, _) => Ok(Found::Nothing),
        (Some((at, only)), None) if sidecar::is_ours(only, settings) => Ok(Found::Sidecar(at)),
        (Some(_), _) => Err(Denial::ContainerName),
    }
}
