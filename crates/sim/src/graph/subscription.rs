//! Which subscriptions exist, and what does each one put into every notification?
//!
//! A subscription is made from the seed and its number alone.

use std::{fmt, sync::Arc};

use jiff::Timestamp;

use crate::{
    hook::{Claims, Forgery, KeyRing, Service},
    kept::{Borrowed, Kept},
    rng::{Rng, Stream},
    scenario::{World, claims, tenant_name},
    text::encode,
};

const DAY: i64 = 86_400;

/// What a subscription watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Watch {
    Messages,
    Events,
    Contacts,
    Tasks,
}

impl Watch {
    const ALL: [Self; 4] = [Self::Messages, Self::Events, Self::Contacts, Self::Tasks];

    fn label(self) -> &'static str {
        match self {
            Self::Messages => "inbox",
            Self::Events => "calendar",
            Self::Contacts => "contacts",
            Self::Tasks => "tasks",
        }
    }
}

/// One subscription.
pub(super) struct Subscription {
    pub(super) watch: Watch,
    pub(super) id: String,
    /// The mailbox id in resource paths: a UUID, or 16 hex digits for a consumer account.
    pub(super) mailbox: String,
    /// The tenant at Microsoft; empty for a consumer account.
    pub(super) provider_tenant: String,
    /// When it ends, in one of Microsoft's spellings.
    pub(super) expires: String,
    /// The genuine token.
    pub(super) token: String,
    /// CloudEvents `source`.
    pub(super) source: Arc<str>,
    /// The record key of what names the mailbox, and of what does not.
    pub(super) change_key: Arc<str>,
    pub(super) lifecycle_key: Arc<str>,
    /// Whether the token names no user, so that the key depends on the notification.
    pub(super) installation: bool,
    claims: Claims,
}

/// All subscriptions of a world.
pub(super) struct Subscriptions {
    seed: u64,
    now: i64,
    ring: KeyRing,
    world: World,
    kept: Kept<Subscription>,
}

impl fmt::Debug for Subscriptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscriptions").field("world", &self.world).finish_non_exhaustive()
    }
}

impl Subscriptions {
    pub(super) fn new(seed: u64, now: i64, ring: KeyRing, world: World) -> Self {
        Self { seed, now, ring, world, kept: Kept::new(world.accounts() * 4) }
    }

    pub(super) fn any_tenant(&self, rng: &mut Rng) -> u32 {
        self.world.any_tenant(rng)
    }

    /// A subscription at random, of the given tenant if one is given. Seven in ten watch messages.
    pub(super) fn any(&self, tenant: Option<u32>, rng: &mut Rng) -> Borrowed<'_, Subscription> {
        let tenant = tenant.unwrap_or_else(|| self.any_tenant(rng));
        let mailbox = self.world.any_mailbox(rng);
        let watch = if rng.chance(0.7) { 0 } else { 1 + rng.below(3) };
        let index = self.world.account(tenant, mailbox) * 4 + watch;
        self.kept.get(index, || self.make(tenant, mailbox, index))
    }

    pub(super) fn tenant_name(&self, tenant: u32) -> String {
        tenant_name(self.seed, tenant)
    }

    /// A bad value in the place of the subscription's token.
    pub(super) fn forge(
        &self,
        subscription: &Subscription,
        forgery: Forgery,
        today: u16,
        rng: &mut Rng,
    ) -> Option<String> {
        self.ring
            .forge(Service::Graph, &subscription.claims, forgery, today, rng.next())
            .expect("these claims were minted before")
    }

    fn make(&self, tenant: u32, mailbox: u32, index: u64) -> Subscription {
        let mut rng = Rng::new(self.seed, Stream::Subscription, index);
        let mut tenant_rng = Rng::new(self.seed, Stream::Tenant, u64::from(tenant));
        let mut mailbox_rng = Rng::new(self.seed, Stream::Mailbox, index / 4);
        let watch = Watch::ALL[(index % 4) as usize];
        let consumer = mailbox % 16 == 15;
        let installation = mailbox % 8 == 6;
        let (moment, who) = ((self.seed, self.now), (tenant, mailbox));
        let claims = claims(moment, who, watch.label(), &mut mailbox_rng);
        let mailbox_id =
            if consumer { format!("{:016x}", mailbox_rng.next()) } else { mailbox_rng.uuid() };
        let id = rng.uuid();
        let key = |of: &str| Arc::from(format!("{}/{}", encode(&claims.tenant), encode(of)));
        let user = claims.user.as_deref();
        let subject = claims.subject.as_deref();
        let place = rng.next() as usize;
        let token = self.ring.mint_by(place, Service::Graph, &claims);
        Subscription {
            watch,
            provider_tenant: if consumer { String::new() } else { tenant_rng.uuid() },
            expires: self.expiry(&mut rng),
            token: token.expect("every name in the world is short enough for the longest token"),
            source: format!("//graph.microsoft.com/subscriptions/{id}").into(),
            change_key: key(user.unwrap_or(&mailbox_id)),
            lifecycle_key: key(user.or(subject).unwrap_or_default()),
            mailbox: mailbox_id,
            id,
            installation,
            claims,
        }
    }

    /// One to six days ahead, in a spelling that Microsoft has been seen to use.
    fn expiry(&self, rng: &mut Rng) -> String {
        let at = self.now + DAY + rng.below(5 * DAY as u64) as i64;
        let fraction = rng.below(10_000_000);
        let local = |offset: i64| {
            let time = Timestamp::from_second(at + offset).expect("a few days from a checked time");
            time.strftime("%Y-%m-%dT%H:%M:%S").to_string()
        };
        match rng.below(5) {
            0 => format!("{}.{:03}Z", local(0), fraction / 10_000),
            1 => format!("{}.{fraction:07}Z", local(0)),
            2 => format!("{}.{fraction:07}+00:00", local(0)),
            3 => format!("{}.{fraction:07}+05:30", local(19_800)),
            _ => format!("{}Z", local(0)),
        }
    }
}
