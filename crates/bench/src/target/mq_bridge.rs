//! How is mq-bridge started? From a virtual environment below the target directory, by a few lines of Python.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use anyhow::ensure;

use super::{Server, wait};
use postern_rig::spawn;

use crate::process::Running;
use crate::world::World;

const SCRIPT: &str = include_str!("mq_bridge.py");
/// Its libraries load in about a second.
const READY: Duration = Duration::from_secs(20);

pub(super) fn start(world: &World) -> anyhow::Result<Server> {
    let python = world.mq_bridge.join("bin/python");
    ensure!(
        python.exists(),
        "mq-bridge is not there ({}); run: scripts/mq-bridge.sh",
        python.display()
    );
    let address = free_address()?;
    let mut command = spawn::command(python);
    command.args(["-c", SCRIPT, &address.to_string(), &world.broker.bootstrap, &world.events]);
    let process = Running::start(command, &world.log())?;
    // It answers 404 or nothing while it starts.
    let ready = wait(READY, || post(address).is_ok_and(|answer| answer.contains(" 20")));
    ensure!(ready, "mq-bridge does not answer a POST with 2xx within {READY:?}");
    Ok(Server { process, address, topic: Some(world.events.clone()) })
}

/// The status line of a short POST.
fn post(address: SocketAddr) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(3)))?;
    stream.write_all(b"POST /v1/microsoft/graph HTTP/1.1\r\nhost: bench\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}

fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}
