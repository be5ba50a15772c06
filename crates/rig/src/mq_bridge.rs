//! How is mq-bridge started, the gateway that postern is measured and judged beside? From a virtual environment, by a few
//! lines of Python.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use super::spawn;

const SCRIPT: &str = include_str!("mq_bridge.py");

/// HTTP at `listen` to one topic, acks=all; `folder` is where `scripts/mq-bridge.sh` has installed it, `linger` is Kafka's
/// `linger.ms`. It prints where it listens once it is about to, in a second or so.
///
/// # Errors
/// When it is not there; the message says what installs it.
pub fn command(
    folder: &Path,
    listen: SocketAddr,
    bootstrap: &str,
    topic: &str,
    linger: &str,
) -> Result<Command, String> {
    let python = folder.join("bin/python");
    if !python.is_file() {
        return Err(format!(
            "mq-bridge is not there ({}); run: scripts/mq-bridge.sh",
            python.display()
        ));
    }
    let mut command = spawn::command(python);
    command.args(["-c", SCRIPT, &listen.to_string(), bootstrap, topic, linger]);
    Ok(command)
}
