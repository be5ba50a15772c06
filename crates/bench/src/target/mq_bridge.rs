//! Where does mq-bridge listen, and into which topic does it write?

use std::net::{SocketAddr, TcpListener};

use anyhow::Error;
use postern_rig::mq_bridge;

use super::Server;
use crate::process::Running;
use crate::world::World;

pub(super) fn start(world: &World) -> anyhow::Result<Server> {
    let address = free_address()?;
    let linger = world.linger.to_string();
    let command = mq_bridge::command(
        &world.mq_bridge,
        address,
        &world.broker.bootstrap,
        &world.events,
        &linger,
    )
    .map_err(Error::msg)?;
    let process = Running::start(command, &world.log())?;
    Ok(Server { process, address, topic: Some(world.events.clone()) })
}

fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}
