//! Where are the repository, the target directory and the `postern` that is under test?

use std::env;
use std::path::{Path, PathBuf};

/// The repository that this was built from: fixtures, schemas and the list of Kafka's jars are read there.
pub fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("the crate lies in crates/rig").to_owned()
}

/// The target directory that the running executable was built into.
///
/// # Panics
/// When the executable does not lie in one: everything that is written goes there.
pub fn target() -> PathBuf {
    let executable = executable();
    // Cargo keeps what it knows of the compiler at the top of each target directory.
    let target = executable.ancestors().find(|place| place.join(".rustc_info.json").is_file());
    let target = target.unwrap_or_else(|| {
        panic!(
            "{} lies in no target directory of cargo's; run it from where cargo built it",
            executable.display()
        )
    });
    target.to_owned()
}

/// The `postern` that was built beside the running executable: the same profile, the same tree.
///
/// # Panics
/// When it is not there, with the command that builds it.
pub fn postern() -> PathBuf {
    let executable = executable();
    let folder = executable.parent().expect("an executable lies in a folder");
    // Test binaries lie one folder deeper.
    let folder =
        if folder.ends_with("deps") { folder.parent().expect("deps has one") } else { folder };
    let postern = folder.join("postern");
    let release = if folder.ends_with("release") { " --release" } else { "" };
    assert!(
        postern.is_file(),
        "there is no {}; build it with: cargo build{release} -p postern",
        postern.display()
    );
    postern
}

fn executable() -> PathBuf {
    env::current_exe().expect("Linux says where the running executable lies")
}
