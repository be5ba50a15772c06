//! How does one broker process start, die and come back?

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::properties::{Ports, Properties};
use super::{SCRAM_PASSWORD, SCRAM_USER, Security, jars};
use crate::spawn;

const LOG_LEVEL: &str = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn";
const LOG_TIME: &str = "-Dorg.slf4j.simpleLogger.showDateTime=true";

/// Java that is quick to start rather than quick to run.
pub(super) const QUICK: &[&str] =
    &["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", "-Xms64m", "-Xmx256m"];
/// Java as it comes, with the heap of `deploy/kafka-dev.sh`.
const STEADY: &[&str] = &["-XX:-UsePerfData", "-Xms128m", "-Xmx512m"];

/// One Kafka process, broker and controller in one, with a data directory of its own.
pub(super) struct Node {
    folder: PathBuf,
    pub(super) ports: Ports,
    steady: bool,
    process: Mutex<Option<Child>>,
}

impl Node {
    /// Writes the configuration and formats the data directory.
    pub(super) fn format(folder: PathBuf, properties: &Properties<'_>) -> Self {
        fs::create_dir_all(&folder).expect("the folder is writable");
        let file = folder.join("server.properties");
        fs::write(&file, properties.to_text(&folder.join("data"))).expect("the folder is writable");
        let mut format = java(&[QUICK, &["-Xmx128m"]].concat(), "kafka.tools.StorageTool");
        // Any 16 bytes will do: each cluster has ports of its own.
        format.args(["format", "--cluster-id", "cG9zdGVybi1pdC1rYWZrYQ", "--config"]).arg(&file);
        if properties.security == Security::ScramSha512 {
            let user = format!("SCRAM-SHA-512=[name={SCRAM_USER},password={SCRAM_PASSWORD}]");
            format.args(["--add-scram", &user]);
        }
        let Output { status, stdout, stderr } = format.output().unwrap_or_else(|error| {
            panic!("setpriv does not start ({error}); it is in util-linux")
        });
        assert!(
            status.success(),
            "Kafka's storage tool failed; java comes with: apt-get install default-jdk-headless\n{}{}",
            String::from_utf8_lossy(&stdout),
            String::from_utf8_lossy(&stderr),
        );
        let (ports, steady) = (properties.ports(), properties.options.steady);
        Self { folder, ports, steady, process: Mutex::new(None) }
    }

    /// Starts the process; it is not ready yet.
    pub(super) fn start(&self) {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log_file())
            .expect("the folder is writable");
        let machine = if self.steady { STEADY } else { QUICK };
        let mut kafka = java(&[machine, &[LOG_LEVEL, LOG_TIME]].concat(), "kafka.Kafka");
        kafka.arg(self.folder.join("server.properties"));
        kafka.stdout(log.try_clone().expect("a file can be opened twice")).stderr(log);
        let mut process = self.process();
        assert!(process.is_none(), "the broker is running already");
        *process = Some(spawn::spawn(kafka));
    }

    /// Kills the process at once; does nothing when it is not running.
    pub(super) fn kill9(&self) {
        if let Some(mut process) = self.process().take() {
            spawn::kill(&mut process);
        }
    }

    /// Has been started and not been killed.
    pub(super) fn is_running(&self) -> bool {
        self.process().is_some()
    }

    /// Sends a signal by its short name.
    pub(super) fn signal(&self, name: &str) {
        spawn::signal(self.process().as_ref().expect("the broker is running"), name);
    }

    /// Says how the process ended, if it did on its own; it can then be started again.
    pub(super) fn ended(&self) -> Option<String> {
        let mut process = self.process();
        let status = process.as_mut()?.try_wait().expect("the child is ours")?;
        *process = None;
        Some(status.to_string())
    }

    /// The last lines that the process wrote.
    pub(super) fn log_tail(&self) -> String {
        let log = fs::read_to_string(self.log_file()).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    fn log_file(&self) -> PathBuf {
        self.folder.join("broker.log")
    }

    fn process(&self) -> MutexGuard<'_, Option<Child>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill9();
    }
}

/// Java on Kafka's class path.
pub(super) fn java(flags: &[&str], class: &str) -> Command {
    let class_path = jars::class_path();
    let mut java = spawn::command(Path::new("java"));
    java.args(flags).arg("-cp").arg(class_path).arg(class);
    java
}
