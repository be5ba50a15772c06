//! How does a disk fail to sync, or take its time? A small C library between postern and `fdatasync`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use postern_rig::{place, scratch};

use crate::tool::{find, run};

/// What the next syncs do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Whatever the disk does.
    True,
    /// The next one fails with EIO, and what it should have kept is gone.
    Fail,
    /// Each takes so many milliseconds longer.
    Slow(u32),
}

/// The library, compiled, with its orders and its log.
pub(crate) struct Shim {
    library: PathBuf,
    spool: PathBuf,
    folder: PathBuf,
}

/// What the library wrote down.
#[derive(Debug, Default)]
pub(crate) struct Syncs {
    pub(crate) failed: usize,
    pub(crate) fine: usize,
    /// Syncs of a file of which one had failed: whatever they say, what the kernel dropped stays gone.
    pub(crate) retried: usize,
}

impl Shim {
    /// Compiles the library for files below `spool`.
    pub(crate) fn new(spool: &Path) -> Self {
        let folder = scratch::folder("shim");
        let library = folder.join("disk.so");
        let source = place::repository().join("crates/judge/shim/disk.c");
        let mut cc = Command::new(find("cc", "build-essential"));
        cc.args(["-O1", "-shared", "-fPIC", "-o"]).arg(&library).arg(source);
        run(cc.args(["-ldl", "-lpthread"]));
        Self { library, spool: spool.to_owned(), folder }
    }

    /// Puts a process that is about to start behind the library.
    pub(crate) fn apply(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", &self.library)
            .env("JUDGE_DISK_DIR", &self.spool)
            .env("JUDGE_DISK_ORDER", self.folder.join("order"))
            .env("JUDGE_DISK_LOG", self.log());
    }

    /// Says what the next syncs do.
    pub(crate) fn order(&self, order: Order) {
        let text = match order {
            Order::True => "true".to_owned(),
            Order::Fail => "eio".to_owned(),
            Order::Slow(millis) => format!("slow {millis}"),
        };
        // Written beside and moved: nobody reads half an order.
        let fresh = self.folder.join("order.new");
        fs::write(&fresh, text).expect("the target directory is writable");
        fs::rename(&fresh, self.folder.join("order")).expect("the target directory is writable");
    }

    /// What happened so far.
    pub(crate) fn syncs(&self) -> Syncs {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let mut broken = Vec::new();
        let mut syncs = Syncs::default();
        for (what, file) in log.lines().filter_map(|line| line.split_once(' ')) {
            syncs.retried += usize::from(broken.contains(&file));
            if what == "eio" {
                syncs.failed += 1;
                broken.push(file);
            } else {
                syncs.fine += 1;
            }
        }
        syncs
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read as _, Write as _};

    use super::*;

    /// Plays the program behind the library: `sync` of coreutils calls fdatasync where it is asked to.
    fn sync(shim: &Shim, file: &Path) -> bool {
        let mut command = Command::new("sync");
        shim.apply(&mut command);
        command.arg("--data").arg(file).status().unwrap().success()
    }

    #[test]
    fn a_failed_sync_loses_what_was_not_synced_and_is_seen_when_tried_again() {
        let spool = scratch::folder("shimmed");
        let shim = Shim::new(&spool);
        let name = spool.join("segment");
        File::create(&name).unwrap().write_all(b"kept").unwrap();
        shim.order(Order::Fail);
        assert!(!sync(&shim, &name), "the ordered failure");
        let mut text = String::new();
        File::open(&name).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "", "nothing of it had been synced");
        assert!(sync(&shim, &name), "one order is one failure");
        let syncs = shim.syncs();
        assert_eq!((syncs.failed, syncs.fine, syncs.retried), (1, 1, 1));
        let elsewhere = scratch::folder("elsewhere").join("file");
        File::create(&elsewhere).unwrap();
        shim.order(Order::Fail);
        assert!(sync(&shim, &elsewhere), "no business of the shim's");
        assert_eq!(shim.syncs().failed, 1);
    }
}
