//! Which connections exist: tenants, their mailboxes, and what their hook tokens claim?

use super::ScenarioError;
use crate::{
    hook::Claims,
    rng::{Rng, Stream},
};

const DAY: i64 = 86_400;

/// The connections that exist: tenants with mailboxes, each watched by four subscriptions.
#[derive(Clone, Copy, Debug)]
pub struct World {
    /// 1 to 10,000,000.
    pub tenants: u32,
    /// Mailboxes a tenant, 1 to 1,000,000.
    pub mailboxes: u32,
}

impl Default for World {
    fn default() -> Self {
        Self { tenants: 8, mailboxes: 16 }
    }
}

impl World {
    pub(super) fn check(self) -> Result<(), ScenarioError> {
        if !(1..=10_000_000).contains(&self.tenants) {
            return Err(ScenarioError::World { name: "tenants", value: self.tenants });
        }
        if !(1..=1_000_000).contains(&self.mailboxes) {
            return Err(ScenarioError::World { name: "mailboxes", value: self.mailboxes });
        }
        Ok(())
    }

    /// How many mailboxes all tenants have.
    pub(crate) fn accounts(self) -> u64 {
        u64::from(self.tenants) * u64::from(self.mailboxes)
    }

    /// The number of a tenant's mailbox among all.
    pub(crate) fn account(self, tenant: u32, mailbox: u32) -> u64 {
        u64::from(tenant) * u64::from(self.mailboxes) + u64::from(mailbox)
    }

    pub(crate) fn any_tenant(self, rng: &mut Rng) -> u32 {
        rng.below(u64::from(self.tenants)) as u32
    }

    pub(crate) fn any_mailbox(self, rng: &mut Rng) -> u32 {
        rng.below(u64::from(self.mailboxes)) as u32
    }
}

/// The name of a tenant as the operator knows it: prefixed and bare UUIDs, plain words, and some
/// that must be percent-encoded in URLs and keys.
pub(crate) fn tenant_name(seed: u64, tenant: u32) -> String {
    const NAMES: [&str; 4] = ["org_acme", "org_birch", "org_cobalt", "org_delta"];
    if let Some(name) = NAMES.get(tenant as usize) {
        return (*name).into();
    }
    let uuid = Rng::new(seed, Stream::Tenant, u64::from(tenant)).uuid();
    match tenant % 8 {
        4 => format!("Käse & Söhne/{tenant}"),
        5 | 6 => uuid,
        _ => format!("org_{uuid}"),
    }
}

/// What the hook token of a mailbox's connection claims: most name a user, one in eight is at
/// installation level and names the mailbox instead. `rng` is the mailbox's own stream.
pub(crate) fn claims(
    (seed, now): (u64, i64),
    (tenant, mailbox): (u32, u32),
    label: &str,
    rng: &mut Rng,
) -> Claims {
    let installation = mailbox % 8 == 6;
    let user = match mailbox % 3 {
        0 => format!("user_{mailbox}"),
        1 => rng.uuid(),
        _ => format!("user_{}", rng.uuid()),
    };
    let today = (now / DAY) as u16;
    Claims {
        tenant: tenant_name(seed, tenant),
        user: (!installation).then_some(user),
        subject: installation.then(|| format!("box{mailbox}@t{tenant}.example")),
        label: Some(label.into()),
        last_day: (mailbox % 4 == 1).then(|| today.saturating_add(30)),
    }
}
