//! How are things taken away from a process that do not go away by a signal?

pub(crate) mod balancer;
pub(crate) mod cgroup;
pub(crate) mod clock;
pub(crate) mod disk;
pub(crate) mod shim;
