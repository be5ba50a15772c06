//! How does a disk get full? A small file system of its own, in memory or in a file, with ballast that can be thrown off.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use postern_rig::scratch;

use crate::tool::{find, require_root, run};

const MIB: usize = 1 << 20;

/// What a small disk is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// 8 MiB of memory: no blocks beside those of the files.
    Tmpfs,
    /// A file of 32 MiB with ext4 on it, mounted by a loop device: with a journal, and blocks allocated late.
    Ext4,
}

/// A mounted file system; it is unmounted with the value.
pub(crate) struct SmallDisk {
    mount: PathBuf,
}

impl SmallDisk {
    /// Makes and mounts one.
    pub(crate) fn mount(kind: Kind) -> Self {
        require_root("a file system of its own");
        unmount_leftovers();
        let folder = scratch::folder("disk");
        let mount = folder.join("mount");
        fs::create_dir(&mount).expect("the target directory is writable");
        let mut command = Command::new(find("mount", "mount"));
        match kind {
            Kind::Tmpfs => command.args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"]),
            Kind::Ext4 => {
                let image = folder.join("image");
                let file = File::create(&image).expect("the target directory is writable");
                file.set_len(32 * MIB as u64).expect("the target directory has room");
                let mut make = Command::new(find("mkfs.ext4", "e2fsprogs"));
                // Root may not dip into a reserve: full means full.
                run(make.args(["-q", "-m", "0"]).arg(&image));
                command.args(["-o", "loop"]).arg(image)
            }
        };
        run(command.arg(&mount));
        Self { mount }
    }

    /// Where a spool may be.
    pub(crate) fn folder(&self) -> PathBuf {
        let folder = self.mount.join("spool");
        fs::create_dir_all(&folder).expect("the disk was just made");
        folder
    }

    /// Fills the disk until so many bytes are left.
    pub(crate) fn load(&self, left: usize) {
        let mut ballast = File::create(self.ballast()).expect("the disk was just made");
        while self.free() > left {
            let size = (self.free() - left).min(MIB);
            ballast.write_all(&vec![0; size]).expect("there was room a moment ago");
            ballast.sync_all().expect("the disk was just made");
        }
    }

    /// Gives the room of the ballast back.
    pub(crate) fn unload(&self) {
        fs::remove_file(self.ballast()).expect("the disk was loaded");
    }

    /// Bytes that a program can still write.
    pub(crate) fn free(&self) -> usize {
        let mut df = Command::new(find("df", "coreutils"));
        let text = run(df.args(["--output=avail", "-B1"]).arg(&self.mount));
        let free = text.lines().nth(1).and_then(|line| line.trim().parse().ok());
        free.expect("df says how much is free")
    }

    fn ballast(&self) -> PathBuf {
        self.mount.join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        unmount(&self.mount);
    }
}

/// A judge that was killed could not unmount.
fn unmount_leftovers() {
    let ours = postern_rig::place::target().join("tmp/rig");
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    for line in mounts.lines() {
        let Some(place) = line.split(' ').nth(1).map(Path::new) else { continue };
        let owner = place.strip_prefix(&ours).ok().and_then(|rest| rest.iter().next());
        if owner.is_some_and(|owner| !Path::new("/proc").join(owner).exists()) {
            unmount(place);
        }
    }
}

/// Lets go of a mount even where a process still holds a file of it.
fn unmount(place: &Path) {
    let status = Command::new("umount").arg("-l").arg(place).status();
    if !status.is_ok_and(|status| status.success()) {
        crate::progress::say("disk", &format!("{} stays mounted: umount failed", place.display()));
    }
}
