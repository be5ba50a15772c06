//! Where do the broker's jars come from? From Maven, once a target directory.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::place;

/// The Kafka that `tests/kafka/pom.xml` names.
const VERSION: &str = "4.3.0";

/// The class path of the broker; downloads it first if need be (43 MB, some seconds).
pub(super) fn class_path() -> PathBuf {
    let cache = place::target().join(format!("kafka-{VERSION}"));
    fs::create_dir_all(&cache).expect("target is writable");
    // Tests that start at the same time, in this process or another, wait for the first one's download.
    let lock = File::create(cache.join("lock")).expect("target is writable");
    lock.lock().expect("the file system has locks");
    let pom = place::repository().join("tests/kafka/pom.xml");
    let wanted = fs::read(&pom).expect("tests/kafka/pom.xml is part of the repository");
    // The list that was fetched lies beside the jars, written last: it says that they are complete.
    let fetched = cache.join("pom.xml");
    let libs = cache.join("libs");
    if fs::read(&fetched).ok().as_deref() != Some(wanted.as_slice()) {
        download(&pom, &libs);
        fs::write(&fetched, &wanted).expect("target is writable");
    }
    libs.join("*")
}

fn download(pom: &Path, libs: &Path) {
    eprintln!("fetching Apache Kafka {VERSION} for the tests (43 MB, once) ...");
    if libs.exists() {
        fs::remove_dir_all(libs).expect("target is writable");
    }
    let output = Command::new("mvn")
        .args(["-q", "-B", "dependency:copy-dependencies", "-f"])
        .arg(pom)
        .arg(format!("-DoutputDirectory={}", libs.display()))
        .output()
        .unwrap_or_else(|error| match error.kind() {
            ErrorKind::NotFound => panic!("the tests need Maven: apt-get install maven"),
            _ => panic!("mvn does not start: {error}"),
        });
    assert!(
        output.status.success() && libs.join(format!("kafka_2.13-{VERSION}.jar")).exists(),
        "Maven could not fetch Kafka's jars; it needs Maven Central or a mirror named in its settings.xml:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
}
