//! How is postern started? As an operator would: the release binary, a configuration file, real keys.

use std::fs;

use anyhow::Context as _;
use serde::Deserialize;

use super::Server;
use postern_rig::spawn;

use crate::process::Running;
use crate::world::World;

/// The ready line of `postern serve --log json`.
#[derive(Deserialize)]
struct Ready {
    public: std::net::SocketAddr,
}

pub(super) fn start(world: &World) -> anyhow::Result<Server> {
    let file = world.folder.path().join("postern.toml");
    fs::write(&file, &world.configuration)?;
    let mut command = spawn::command(&world.postern);
    command.args(["serve", "--log", "json", "--config"]).arg(&file);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("POSTERN_")) {
        command.env_remove(name);
    }
    let process = Running::start(command, &world.log())?;
    let ready: Ready = serde_json::from_str(&process.hello)
        .with_context(|| format!("postern's ready line is {:?}", process.hello))?;
    Ok(Server { process, address: ready.public, topic: Some(world.events.clone()) })
}
