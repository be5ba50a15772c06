//! How is the simulator kept posting while things die around it?

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use postern_rig::hook;
use postern_sim::{
    Forgery, Live, Load as SimLoad, Mix, Pace, Provider, Report, Retry, Scenario, Target, World,
    run,
};
use tokio::sync::oneshot;

use crate::oracle::Oracle;
use crate::verdict::millis;

/// When the traffic is played; a fixed day, so that a seed gives the same bytes again. Tokens with a last day have one
/// that is far ahead of any clock.
const NOW: i64 = 4_070_908_800;
/// A provider gives up after so long.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is sent, and how.
#[derive(Clone, Debug)]
pub(crate) struct Traffic {
    pub(crate) seed: u64,
    pub(crate) mix: Mix,
    /// Requests a second.
    pub(crate) rate: f64,
    pub(crate) connections: usize,
    /// Stop after so many deliveries.
    pub(crate) requests: Option<u64>,
    /// Send again what got no 2xx.
    pub(crate) retry: Option<Retry>,
}

impl Traffic {
    /// Batches of one to three notifications, some of them signals, for ever.
    pub(crate) fn new(seed: u64, rate: f64, connections: usize) -> Self {
        let mix = Mix { items: 1..=3, lifecycle: 0.05, ..Mix::default() };
        Self { seed, mix, rate, connections, requests: None, retry: None }
    }

    /// The same with items that nobody must ever find published. Tokens that are over are not among them: on the day
    /// that is played, those of today are not over yet.
    pub(crate) fn with_forgeries(mut self, share: f64) -> Self {
        self.mix.forged = share;
        self.mix.forgeries.retain(|forgery| *forgery != Forgery::Expired);
        self
    }
}

/// Between two looks at how late the senders are.
const TICK: Duration = Duration::from_millis(10);

/// A running load; it stops with the value.
pub(crate) struct Load {
    stop: Option<oneshot::Sender<()>>,
    sender: Option<JoinHandle<Sent>>,
}

/// What a load that has ended tells.
pub(crate) struct Sent {
    pub(crate) report: Report,
    /// For how long the senders stood still at most: their answers look later than they were by as much.
    pub(crate) stall: Duration,
}

impl Load {
    /// Posts to a port of the loopback and tells the oracle of each request.
    pub(crate) fn start(traffic: Traffic, port: u16, oracle: &Arc<Oracle>) -> Self {
        let oracle = Arc::clone(oracle);
        let (stop, stopped) = oneshot::channel::<()>();
        let sender = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .expect("the system has threads left");
            let scenario = scenario(&traffic);
            let target = Target::parse(&format!("http://127.0.0.1:{port}")).expect("a sound URL");
            let load = SimLoad {
                connections: traffic.connections,
                pace: Pace::Open { per_second: traffic.rate },
                requests: traffic.requests,
                timeout: PATIENCE,
                retry: traffic.retry,
                ..SimLoad::new(target)
            };
            let until = async { drop(stopped.await) };
            let stall = Arc::new(AtomicU64::new(0));
            runtime.spawn(watch(Arc::clone(&stall)));
            let running = run(load, Arc::new(scenario), oracle, Arc::new(Live::default()), until);
            let report = runtime.block_on(running).expect("the load makes sense");
            Sent { report, stall: Duration::from_millis(stall.load(Ordering::Relaxed)) }
        });
        Self { stop: Some(stop), sender: Some(sender) }
    }

    /// Sends nothing new, and waits for the last answers.
    pub(crate) fn stop(mut self) -> Sent {
        drop(self.stop.take());
        self.join()
    }

    /// Waits until a load with a bound has sent all of it.
    pub(crate) fn join(&mut self) -> Sent {
        let sender = self.sender.take().expect("a load ends once");
        let sent = sender.join();
        sent.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

/// Keeps the longest time in milliseconds by which the runtime's tasks were late.
async fn watch(stall: Arc<AtomicU64>) {
    loop {
        let due = Instant::now() + TICK;
        tokio::time::sleep(TICK).await;
        stall.fetch_max(millis(due.elapsed()), Ordering::Relaxed);
    }
}

/// The deliveries of a seed, signed with the ring that the rig configures.
pub(crate) fn scenario(traffic: &Traffic) -> Scenario {
    let graph = Provider::Graph { ring: hook::ring(), world: World::default() };
    Scenario::new(traffic.seed, NOW, traffic.mix.clone(), [graph]).expect("the mix is sound")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_bytes_again() {
        let bytes = |seed| scenario(&Traffic::new(seed, 1.0, 1)).delivery(17).body;
        assert_eq!(bytes(5), bytes(5));
        assert_ne!(bytes(5), bytes(6));
    }
}
