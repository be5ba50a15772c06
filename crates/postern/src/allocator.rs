//! How does a serving process give large buffers back? By telling the C library's allocator at its start: once more.
//!
//! glibc takes a buffer of 128 KiB and more from the kernel and returns it, until the first such buffer is freed: from
//! then on it keeps what is smaller than the largest that it saw, in an arena of each thread. Large deliveries then
//! leave every worker with the most that it ever had: 109 MiB resident where 45 were in use. glibc reads its limits from
//! the environment, before `main`; the alternatives that were tried are in ARCHITECTURE.md, "Runtime".

use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// What glibc is told (mallopt(3)), each unless the operator tells it something else: what is returned at once, and how
/// much an arena keeps at its end.
const LIMITS: [(&str, &str); 2] =
    [("MALLOC_MMAP_THRESHOLD_", "131072"), ("MALLOC_TRIM_THRESHOLD_", "1048576")];

/// Starts this program again in this process, with the limits in its environment; returns where they are there, or
/// where it cannot be started again, which only costs memory.
pub(crate) fn limit() {
    let missing = LIMITS.into_iter().filter(|(name, _)| std::env::var_os(name).is_none());
    let missing: Vec<_> = missing.collect();
    if missing.is_empty() {
        return;
    }
    let mut arguments = std::env::args_os();
    let (Ok(program), Some(name)) = (std::env::current_exe(), arguments.next()) else { return };
    let error = Command::new(program).arg0(name).args(arguments).envs(missing).exec();
    tracing::debug!(%error, "the allocator keeps its own limits");
}
