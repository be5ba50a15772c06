//! Plays the providers: which traffic do they send, what must come of each delivery, and what did.
//!
//! The crate shares no code with the product. It writes hook tokens, payloads and expectations from
//! the published contract alone, so that it can be the product's judge. Microsoft Graph is played in
//! [`graph`], Google in [`google`]; the tokens of Google's pushes are signed in [`oidc`], which can
//! serve their key set as well ([`KeySetServer`]).
//!
//! A [`Scenario`] says *what* is sent: it is a pure function from a sequence number to a
//! [`Delivery`], which carries the request and everything that is expected of it. A [`Load`] says
//! *how* it is sent: where to, over how many connections, as fast as possible or at a rate.
//! [`run`] joins the two, tells an [`Observer`] of every finished attempt and returns a [`Report`].
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use std::{future, sync::Arc};
//! use postern_sim::{KeyRing, Live, Load, Mix, Provider, Scenario, Target, World, run};
//!
//! let ring = KeyRing::new([("k1", &[7u8; 32][..])])?;
//! let graph = Provider::Graph { ring, world: World::default() };
//! let scenario = Scenario::new(42, 1_790_000_000, Mix::varied(), vec![graph])?;
//! let load = Load { requests: Some(10_000), ..Load::new(Target::parse("http://127.0.0.1:8080")?) };
//! let live = Arc::new(Live::default());
//! let report = run(load, Arc::new(scenario), Arc::new(()), live, future::pending()).await?;
//! println!("{report}");
//! # Ok(())
//! # }
//! ```

mod kept;
mod rng;
mod text;

pub mod hook;
pub mod oidc;

mod delivery;
mod scenario;

pub mod google;
pub mod graph;

mod client;
mod load;
mod observer;
mod report;

pub use client::run;
pub use delivery::{Delivery, Expected, Item, Reason, Record, RecordKey, Topic, Verdict};
pub use google::{Feed, Push};
pub use hook::{Claims, Forgery, HookError, KeyRing, Service};
pub use load::{Load, LoadError, Pace, Retry, Target};
pub use observer::{Finished, Observer, Outcome};
pub use oidc::{JwtForgery, KeySetAnswer, KeySetServer, Signer, SignerError, TokenClaims};
pub use report::{Counts, Latency, Live, Report};
pub use scenario::{Mix, Provider, Scenario, ScenarioError, World};
