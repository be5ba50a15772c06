//! How is postern started? As an operator would: the release binary, a configuration file, real keys.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context as _;
use serde::Deserialize;

use super::Server;
use postern_rig::spawn;

use crate::process::Running;
use crate::world::World;

/// The ready line of `postern serve --log json`.
#[derive(Deserialize)]
struct Ready {
    public: SocketAddr,
    admin: SocketAddr,
}

/// On the broker of the run.
pub(super) fn start(world: &World) -> anyhow::Result<Server> {
    let (process, ready) = serve(world, &world.configuration)?;
    Ok(Server { process, address: ready.public, topic: Some(world.events.clone()) })
}

/// With a spool, and with nobody at the port where Kafka should be; also the address of its admin listener.
///
/// # Errors
/// When it does not come up.
pub(crate) fn spooling(
    world: &World,
    nobody: u16,
    spool: &Path,
) -> anyhow::Result<(Server, SocketAddr)> {
    let away = format!("127.0.0.1:{nobody}");
    let configuration = world.configuration.replace(&world.broker.bootstrap, &away);
    let spool = format!("[spool]\ndir = {:?}\nmax_bytes = \"4GiB\"\n", spool.display().to_string());
    let (process, ready) = serve(world, &(configuration + &spool))?;
    Ok((Server { process, address: ready.public, topic: None }, ready.admin))
}

fn serve(world: &World, configuration: &str) -> anyhow::Result<(Running, Ready)> {
    let file = world.folder.path().join("postern.toml");
    fs::write(&file, configuration)?;
    let mut command = spawn::command(&world.postern);
    command.args(["serve", "--log", "json", "--config"]).arg(&file);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("POSTERN_")) {
        command.env_remove(name);
    }
    let process = Running::start(command, &world.log())?;
    let ready = serde_json::from_str(&process.hello)
        .with_context(|| format!("postern's ready line is {:?}", process.hello))?;
    Ok((process, ready))
}
