//! Does a rolling restart cost a request? Two replicas behind haproxy, stopped and started in turn under load.

use std::thread;
use std::time::{Duration, Instant};

use postern_rig::client;
use postern_rig::eventually;
use postern_rig::ports::free_port;
use postern_rig::process::Postern;

use super::postern::check_statuses;
use crate::context::Context;
use crate::fault::balancer::Balancer;
use crate::load::Traffic;
use crate::verdict::{Row, millis};
use crate::world::{Plan, World, configure};

const RATE: f64 = 200.0;
const CONNECTIONS: usize = 32;
/// How long a replica may take to end after SIGTERM.
const EXIT: Duration = Duration::from_secs(25);

/// 50 restarts by SIGTERM (6 in the short form).
pub(crate) fn restarts(context: Context) -> Row {
    let mut world = World::new(&context, &Plan::plain());
    let ports = [(world.public, world.admin), (free_port(), free_port())];
    let configs = ports.map(|ports| configure(&world.kafka, &world.topics, ports, None));
    let mut replicas: Vec<_> = configs.iter().map(Postern::start).collect();
    let balancer = Balancer::start(&ports);
    thread::sleep(Duration::from_secs(1));
    // What is posted when the faults are over goes by the balancer too.
    world.public = balancer.port;
    world.busy_at(Traffic::new(context.seed, RATE, CONNECTIONS), balancer.port);
    let restarts = context.size(50, 6);
    let mut slowest = Duration::ZERO;
    for restart in 0..restarts {
        thread::sleep(Duration::from_millis(700));
        let place = restart % 2;
        replicas[place].sigterm();
        let asked = Instant::now();
        let code = replicas[place].wait(EXIT);
        slowest = slowest.max(asked.elapsed());
        world.require(code == Some(0), || {
            format!("restart {restart}: a replica ended with {code:?}")
        });
        replicas[place] = Postern::start(&configs[place]);
        let admin = ([127, 0, 0, 1], ports[place].1).into();
        let ready = || client::try_get(admin, "/readyz").is_ok_and(|answer| answer.status == 200);
        let ready = eventually(Duration::from_secs(10), ready);
        world.require(ready, || format!("restart {restart}: the new replica is not ready"));
        // The balancer looks ten times a second.
        thread::sleep(Duration::from_millis(300));
        if (restart + 1) % 10 == 0 {
            world.say(&format!("{} of {restarts} restarts", restart + 1));
        }
    }
    thread::sleep(Duration::from_secs(1));
    world.quiet();
    world.note(format!("{restarts} restarts; a replica ends within {} ms", millis(slowest)));
    let answers = world.answers();
    let (refused, cut) = (answers.non_2xx(), answers.cut() + answers.refused());
    world.require(refused == 0, || format!("{refused} answers were no 2xx"));
    world.require(cut == 0, || format!("{cut} requests were cut or found nobody"));
    check_statuses(&mut world);
    world.judge()
}
