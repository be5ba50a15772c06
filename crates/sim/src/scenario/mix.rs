//! How much of the traffic is bad, odd, late or doubled?

use std::{ops::RangeInclusive, time::Duration};

use super::ScenarioError;
use crate::{hook::Forgery, oidc::JwtForgery, rng::Rng};

/// How many items the contract takes in one body (section 2.1).
const MAX_ITEMS: u32 = 2_000;
/// A body must be in within 1.5 s (contract section 2.1). Between these two it is a matter of luck.
const IN_TIME: Duration = Duration::from_millis(1_200);
pub(super) const TOO_LATE: Duration = Duration::from_millis(1_800);

/// The composition of the traffic. Shares go from 0 to 1 and are independent draws.
///
/// The default is the plainest: one genuine change notification a delivery. [`Mix::varied`] has
/// some of everything.
#[derive(Clone, Debug)]
pub struct Mix {
    /// Items of a Graph delivery, evenly drawn; those of Google have one.
    pub items: RangeInclusive<u32>,
    /// Share of items that are not genuine.
    pub forged: f64,
    /// The ways to forge hook tokens, evenly drawn. A tenant mismatch needs a tenant route: elsewhere
    /// another one of the list is drawn, or a flipped tag where there is no other. To Pub/Sub it is a
    /// message of another subscription, where the receiver is configured with one.
    pub forgeries: Vec<Forgery>,
    /// The ways to forge the bearer token of a Pub/Sub push, evenly drawn.
    pub jwt_forgeries: Vec<JwtForgery>,
    /// Share of items that have a good token and cannot be used. Channels have none of these.
    pub unusable: f64,
    /// Share of items that are lifecycle notifications: `sync` on a channel, none from Gmail.
    pub lifecycle: f64,
    /// Share of items with words unknown to the receiver (types, changes, lifecycle events).
    pub unknown: f64,
    /// Share of items in a rare but genuine spelling: null and additional members, no data.
    pub odd: f64,
    /// Share of change notifications without an `id`, as most of Outlook's really are, and of Pub/Sub
    /// messages without one.
    pub without_id: f64,
    /// Share of Graph deliveries to the tenant's own URL; all items are then of that tenant.
    pub tenant_route: f64,
    /// Share of deliveries that repeat an earlier one byte for byte.
    pub duplicates: f64,
    /// Share of Graph deliveries with resource data (rich), which prove nothing without Microsoft's keys.
    pub rich: f64,
    /// Share of deliveries that nobody can read.
    pub malformed: f64,
    /// Share of Graph deliveries that are an endpoint validation.
    pub handshakes: f64,
    /// Share of deliveries whose body is trickled out.
    pub slow: f64,
    /// How long a slow body takes: at most 1.2 s (in time) or at least 1.8 s (too late).
    pub slow_for: Duration,
}

impl Default for Mix {
    fn default() -> Self {
        Self {
            items: 1..=1,
            forged: 0.0,
            forgeries: Forgery::ANYWHERE.to_vec(),
            jwt_forgeries: JwtForgery::ALL.to_vec(),
            unusable: 0.0,
            lifecycle: 0.0,
            unknown: 0.0,
            odd: 0.0,
            without_id: 0.0,
            tenant_route: 0.0,
            duplicates: 0.0,
            rich: 0.0,
            malformed: 0.0,
            handshakes: 0.0,
            slow: 0.0,
            slow_for: Duration::from_millis(600),
        }
    }
}

impl Mix {
    /// Some of everything that a provider, a stranger or a fault sends.
    pub fn varied() -> Self {
        let forgeries = [&Forgery::ANYWHERE[..], &[Forgery::TenantMismatch]].concat();
        Self {
            items: 1..=8,
            forged: 0.1,
            forgeries,
            unusable: 0.01,
            lifecycle: 0.08,
            unknown: 0.05,
            odd: 0.1,
            without_id: 0.2,
            tenant_route: 0.2,
            duplicates: 0.03,
            rich: 0.01,
            malformed: 0.02,
            handshakes: 0.02,
            slow: 0.01,
            ..Self::default()
        }
    }

    pub(super) fn check(&self) -> Result<(), ScenarioError> {
        let shares = [
            ("forged", self.forged),
            ("unusable", self.unusable),
            ("lifecycle", self.lifecycle),
            ("unknown", self.unknown),
            ("odd", self.odd),
            ("without_id", self.without_id),
            ("tenant_route", self.tenant_route),
            ("duplicates", self.duplicates),
            ("rich", self.rich),
            ("malformed", self.malformed),
            ("handshakes", self.handshakes),
            ("slow", self.slow),
        ];
        for (name, value) in shares {
            if !(0.0..=1.0).contains(&value) {
                return Err(ScenarioError::Share { name, value });
            }
        }
        let (least, most) = (*self.items.start(), *self.items.end());
        if least == 0 || least > most || most > MAX_ITEMS {
            return Err(ScenarioError::Items { least, most });
        }
        if self.forged > 0.0 && self.forgeries.is_empty() {
            return Err(ScenarioError::NoForgery);
        }
        if self.slow > 0.0 && self.slow_for > IN_TIME && self.slow_for < TOO_LATE {
            return Err(ScenarioError::SlowFor(self.slow_for));
        }
        Ok(())
    }

    /// A way to forge a hook token that is one with or without a tenant in the URL.
    pub(crate) fn forgery(&self, tenant_route: bool, rng: &mut Rng) -> Forgery {
        let mut drawn = self.forgeries[rng.below(self.forgeries.len() as u64) as usize];
        if drawn == Forgery::TenantMismatch && !tenant_route {
            let others = self.forgeries.iter().filter(|other| **other != drawn).count() as u64;
            let place = rng.below(others) as usize;
            let mut others = self.forgeries.iter().filter(|other| **other != drawn);
            drawn = others.nth(place).copied().unwrap_or(Forgery::ForgedTag);
        }
        drawn
    }
}
