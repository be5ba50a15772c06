//! How does postern get no more memory than so much? By a memory cgroup of its own, of either version.

use std::fs;
use std::path::{Path, PathBuf};
use std::process;
use std::thread;
use std::time::Duration;

use postern_rig::scratch;

use crate::tool::require_root;

/// A memory cgroup; it is removed with the value, once its processes have ended.
pub(crate) struct MemoryCap {
    folder: PathBuf,
    version: Version,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

impl MemoryCap {
    /// A fresh group with a limit in bytes.
    pub(crate) fn new(bytes: u64) -> Self {
        require_root("a memory cap");
        let (home, version) = hierarchy();
        let folder = home.join(format!("postern-judge-{}-{}", process::id(), scratch::unique()));
        fs::create_dir(&folder)
            .unwrap_or_else(|error| panic!("no cgroup can be made in {}: {error}", home.display()));
        let cap = Self { folder, version };
        let limit = match version {
            Version::One => "memory.limit_in_bytes",
            Version::Two => "memory.max",
        };
        let file = cap.folder.join(limit);
        fs::write(&file, bytes.to_string())
            .unwrap_or_else(|error| panic!("{} takes no limit: {error}", file.display()));
        cap
    }

    /// A wrapper that enters the group and then becomes what stands behind it.
    pub(crate) fn wrapper(&self) -> Vec<String> {
        let enter = "echo $$ > \"$0\" && exec \"$@\"".to_owned();
        let procs = self.folder.join("cgroup.procs").display().to_string();
        vec!["sh".to_owned(), "-c".to_owned(), enter, procs]
    }

    /// How often the kernel killed a process of the group for its memory.
    pub(crate) fn kills(&self) -> u64 {
        let file = match self.version {
            Version::One => "memory.oom_control",
            Version::Two => "memory.events",
        };
        let text = self.read(file);
        let count = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
        count.and_then(|count| count.trim().parse().ok()).expect("the kernel counts its kills")
    }

    fn read(&self, name: &str) -> String {
        let file = self.folder.join(name);
        fs::read_to_string(&file)
            .unwrap_or_else(|error| panic!("{} is not readable: {error}", file.display()))
    }
}

impl Drop for MemoryCap {
    fn drop(&mut self) {
        // The kernel lets go of a group a moment after its last process.
        for _ in 0..50 {
            if fs::remove_dir(&self.folder).is_ok() {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Where the memory controller is mounted; version 1 where both are, as there it is the one that has it.
fn hierarchy() -> (PathBuf, Version) {
    let mounts = fs::read_to_string("/proc/mounts").expect("Linux lists its mounts");
    for line in mounts.lines() {
        let fields: Vec<_> = line.split(' ').collect();
        let &[_, place, kind, options, ..] = fields.as_slice() else { continue };
        let place = Path::new(place);
        if kind == "cgroup" && options.split(',').any(|option| option == "memory") {
            return (place.to_owned(), Version::One);
        }
        let shared = fs::read_to_string(place.join("cgroup.subtree_control")).unwrap_or_default();
        if kind == "cgroup2" && shared.split_whitespace().any(|name| name == "memory") {
            return (place.to_owned(), Version::Two);
        }
    }
    panic!("no cgroup hierarchy here controls memory; see /proc/mounts and cgroup.subtree_control");
}
