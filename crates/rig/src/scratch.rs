//! Where do the tests keep their files? Below `target/tmp`, one folder a test process, swept by the next run.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{fs, process};

use super::place;

/// A number that no other call of this process gets.
pub fn unique() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A fresh folder; it stays until the next run, so that a failed test can be looked into.
pub fn folder(name: &str) -> PathBuf {
    static HOME: OnceLock<PathBuf> = OnceLock::new();
    let home = HOME.get_or_init(|| {
        let all = place::target().join("tmp/rig");
        sweep(&all);
        all.join(process::id().to_string())
    });
    let folder = home.join(format!("{name}-{}", unique()));
    fs::create_dir_all(&folder).expect("target/tmp is writable");
    folder
}

/// Removes what processes that have ended left behind.
fn sweep(all: &Path) {
    let Ok(homes) = fs::read_dir(all) else { return };
    for home in homes.flatten() {
        let owner = home.file_name();
        if !Path::new("/proc").join(&owner).exists() {
            // Another run may sweep at the same time: whoever comes second finds nothing.
            drop(fs::remove_dir_all(home.path()));
        }
    }
}
