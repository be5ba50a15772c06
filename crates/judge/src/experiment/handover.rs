//! Does a replica that is taken away for good leave its spool to somebody? SIGTERM under load while Kafka stands still,
//! then `postern spool drain` on what it left.

use std::thread;
use std::time::{Duration, Instant};

use postern_rig::process;

use super::postern::check_statuses;
use crate::context::Context;
use crate::load::Traffic;
use crate::verdict::{Row, millis};
use crate::world::{Plan, World, spool_folder};

/// How long a postern may take to end after SIGTERM.
const EXIT: Duration = Duration::from_secs(25);

/// Five times (once in the short form): Kafka stands still, postern ends, its spool is handed over.
pub(crate) fn spool(context: Context) -> Row {
    let folder = spool_folder();
    let spool = Some((folder.as_path(), "256MiB"));
    let mut world = World::new(&context, &Plan { spool, ..Plan::plain() });
    let file = world.config.write().display().to_string();
    let rounds = context.size(5, 1);
    let (mut slowest, mut handed) = (Duration::ZERO, Vec::new());
    for round in 1..=rounds {
        world.start();
        world.busy(Traffic::new(context.seed ^ round << 40, 200.0, 32));
        thread::sleep(Duration::from_secs(3));
        world.kafka.pause();
        thread::sleep(Duration::from_secs(6));
        let asked = Instant::now();
        world.postern().sigterm();
        let code = world.postern().wait(EXIT);
        slowest = slowest.max(asked.elapsed());
        world.require(code == Some(0), || format!("round {round}: postern ended with {code:?}"));
        world.quiet();
        world.kafka.resume();
        let drain = ["spool", "drain", "--config", &file, "--timeout", "60s"];
        let drained = process::postern(&drain);
        world.require(drained.code == Some(0), || {
            format!(
                "round {round}: spool drain ended with {:?}: {}",
                drained.code,
                drained.stderr.trim()
            )
        });
        handed.push(drained.stdout.trim().to_owned());
    }
    world.start();
    world.note(format!("ended within {} ms; {}", millis(slowest), handed.join(", ")));
    // What is sent while it flushes is refused, not cut; later nobody listens.
    let cut = world.answers().cut();
    world.require(cut == 0, || format!("{cut} requests were cut"));
    check_statuses(&mut world);
    world.judge()
}
