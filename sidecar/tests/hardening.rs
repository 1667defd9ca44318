//! In a process of its own: what is forbidden cannot be allowed again.

use credence_sidecar::hardening;
use rustix::process::{DumpableBehavior, Resource, dumpable_behavior, getrlimit};

#[test]
fn a_hardened_process_leaves_no_memory_behind() {
    hardening::harden().unwrap();
    assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
    assert_eq!(getrlimit(Resource::Core).maximum, Some(0));
    let files = getrlimit(Resource::Nofile);
    assert_eq!(files.current, files.maximum);
}
