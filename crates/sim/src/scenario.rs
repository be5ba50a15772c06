//! What is sent: by which providers, over which connections, in which composition?

mod mix;
mod world;

use std::time::Duration;

pub use mix::Mix;
use mix::TOO_LATE;
pub use world::World;
pub(crate) use world::{claims, tenant_name};

use crate::{
    delivery::Delivery,
    google::{Channels, Pubsub, Push},
    graph::Graph,
    hook::{HookError, KeyRing},
    rng::{Rng, Stream},
};

/// A provider that takes part, with what it needs.
#[derive(Clone, Debug)]
pub enum Provider {
    /// Microsoft Graph.
    Graph {
        /// Signs the hook tokens of its subscriptions.
        ring: KeyRing,
        /// Its connections.
        world: World,
    },
    /// A Pub/Sub push subscription of Google's: Gmail or Workspace Events.
    Pubsub {
        /// The subscription, as the receiver is configured for it.
        push: Push,
        /// The mailboxes that it tells of.
        world: World,
    },
    /// The `web_hook` channels of Google Calendar and Google Drive.
    Channels {
        /// Signs the hook tokens of the channels.
        ring: KeyRing,
        /// Their connections.
        world: World,
    },
}

/// Why a scenario cannot be played.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum ScenarioError {
    /// Nobody sends anything.
    #[error("the scenario has no provider; add at least one")]
    NoProvider,
    /// A share outside 0 to 1.
    #[error("share {name} is {value}; it goes from 0 to 1")]
    Share {
        /// The member of [`Mix`].
        name: &'static str,
        /// What was given.
        value: f64,
    },
    /// A batch size that no delivery can have.
    #[error(
        "items a delivery are {least} to {most}; they go from 1 to 2000, the smaller one first"
    )]
    Items {
        /// The lower end.
        least: u32,
        /// The upper end.
        most: u32,
    },
    /// A share of forgeries without a way to forge.
    #[error("some items are to be forged and no forgery is named; name one or set forged to 0")]
    NoForgery,
    /// Nobody can say what the answer must be.
    #[error("a slow body of {0:?} may be in time or not; take at most 1.2 s or at least 1.8 s")]
    SlowFor(Duration),
    /// A world outside its limits.
    #[error("{name} is {value}; tenants go from 1 to 10000000, mailboxes from 1 to 1000000")]
    World {
        /// The member of [`World`].
        name: &'static str,
        /// What was given.
        value: u32,
    },
    /// The time is not in the range in which hook tokens have days.
    #[error("the time {0} s is not between 1971 and 2148; give seconds since 1970-01-01 UTC")]
    Now(i64),
    /// A push subscription that cannot be one.
    #[error("the push subscription {source_name:?} cannot be played: {what}")]
    Push {
        /// Its source.
        source_name: String,
        /// What is wrong and what to do.
        what: &'static str,
    },
    /// The key ring cannot sign for this world.
    #[error(transparent)]
    Hook(#[from] HookError),
}

/// What is sent: a pure function from a sequence number to a delivery.
#[derive(Debug)]
pub struct Scenario {
    seed: u64,
    mix: Mix,
    sources: Vec<Source>,
}

/// A provider at work. Everything that tells one from another is behind this enum.
#[derive(Debug)]
enum Source {
    Graph(Box<Graph>),
    Pubsub(Box<Pubsub>),
    Channels(Box<Channels>),
}

impl Scenario {
    /// A scenario in which the providers take turns at random.
    ///
    /// `now` is the time at which it is played, in seconds since 1970-01-01 UTC: expiries lie ahead
    /// of it, expired tokens behind. The same arguments give the same deliveries; ids of one seed
    /// come again in the next run, so whoever looks for records takes a seed of its own every time.
    /// The bearer tokens of Pub/Sub pushes alone are renewed every half hour of a run.
    ///
    /// # Errors
    /// When a share, size or time is out of range, or the ring cannot sign.
    pub fn new(
        seed: u64,
        now: i64,
        mix: Mix,
        providers: impl IntoIterator<Item = Provider>,
    ) -> Result<Self, ScenarioError> {
        mix.check()?;
        if !(31_536_000..5_640_000_000).contains(&now) {
            return Err(ScenarioError::Now(now));
        }
        let mut sources = Vec::new();
        for provider in providers {
            sources.push(match provider {
                Provider::Graph { ring, world } => {
                    world.check()?;
                    Source::Graph(Box::new(Graph::new(seed, now, ring, world)?))
                }
                Provider::Pubsub { push, world } => {
                    world.check()?;
                    Source::Pubsub(Box::new(Pubsub::new(seed, now, &mix, push, world)?))
                }
                Provider::Channels { ring, world } => {
                    world.check()?;
                    Source::Channels(Box::new(Channels::new(seed, now, ring, world)?))
                }
            });
        }
        if sources.is_empty() {
            Err(ScenarioError::NoProvider)
        } else {
            Ok(Self { seed, mix, sources })
        }
    }

    /// The delivery at a place of the scenario.
    pub fn delivery(&self, sequence: u64) -> Delivery {
        let origin = self.origin(sequence);
        let mut rng = Rng::new(self.seed, Stream::Delivery, origin);
        let source = &self.sources[rng.below(self.sources.len() as u64) as usize];
        let mut delivery = match source {
            Source::Graph(graph) => graph.delivery(&self.mix, origin, &mut rng),
            Source::Pubsub(pubsub) => pubsub.delivery(&self.mix, origin, &mut rng),
            Source::Channels(channels) => channels.delivery(&self.mix, origin, &mut rng),
        };
        delivery.sequence = sequence;
        delivery.repeats = (origin != sequence).then_some(origin);
        self.slow_down(&mut delivery, &mut rng);
        delivery
    }

    /// The delivery that this one repeats: itself, or one of those shortly before it.
    fn origin(&self, mut sequence: u64) -> u64 {
        while sequence > 0 && self.mix.duplicates > 0.0 {
            let mut rng = Rng::new(self.seed, Stream::Repeat, sequence);
            if !rng.chance(self.mix.duplicates) {
                break;
            }
            sequence -= 1 + rng.below(sequence.min(32));
        }
        sequence
    }

    fn slow_down(&self, delivery: &mut Delivery, rng: &mut Rng) {
        // A handshake's body is not awaited, and a body of a few bytes cannot be trickled.
        if delivery.expected.echo.is_some() || delivery.body.len() < 64 {
            return;
        }
        if rng.chance(self.mix.slow) {
            delivery.slow = Some(self.mix.slow_for);
            // Who may not send at all is told so before the body is waited for.
            if self.mix.slow_for >= TOO_LATE && delivery.expected.status != 401 {
                delivery.expected.status = 408;
                delivery.expected.items.clear();
            }
        }
    }
}
