//! How is mq-bridge started? From a virtual environment below the target directory, by a few lines of Python.

use std::net::{SocketAddr, TcpListener};

use anyhow::ensure;

use super::Server;
use postern_rig::spawn;

use crate::process::Running;
use crate::world::World;

const SCRIPT: &str = include_str!("mq_bridge.py");

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
    Ok(Server { process, address, topic: Some(world.events.clone()) })
}

fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}
