//! What a process that holds credentials forbids itself.

use rustix::process::{
    DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit,
};

/// Keeps the memory of this process from debuggers of the same user and from
/// core dumps, and allows it as many open files as the system lets it have.
///
/// # Errors
/// The system's, when it does not allow this; then credentials must not be
/// taken in.
pub fn harden() -> std::io::Result<()> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    setrlimit(
        Resource::Core,
        Rlimit {
            current: Some(0),
            maximum: Some(0),
        },
    )?;
    // Two a call; the soft limit of a container may be as low as 1024.
    let files = getrlimit(Resource::Nofile);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: files.maximum,
            maximum: files.maximum,
        },
    )?;
    Ok(())
}
