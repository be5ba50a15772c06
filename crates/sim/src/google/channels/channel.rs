//! Which channels exist, and what does each one put into every notification?

use std::{fmt, sync::Arc};

use crate::{
    google::time,
    hook::{Claims, Forgery, KeyRing, Service},
    kept::{Borrowed, Kept},
    rng::{Rng, Stream},
    scenario::{World, claims},
    text::{URL_SAFE, encode},
};

const DAY: u64 = 86_400;

/// What a channel watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Watch {
    /// The events of a calendar.
    Events,
    /// What else Calendar can watch: access rules, settings, the list of calendars.
    Settings,
    /// The changes feed of a drive.
    Changes,
    /// One file.
    File,
}

impl Watch {
    const ALL: [Self; 4] = [Self::Events, Self::Settings, Self::Changes, Self::File];

    fn service(self) -> Service {
        match self {
            Self::Events | Self::Settings => Service::Calendar,
            Self::Changes | Self::File => Service::Drive,
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Events => "calendar",
            Self::Settings => "calendar-settings",
            Self::Changes => "drive",
            Self::File => "file",
        }
    }
}

/// One channel.
pub(super) struct Channel {
    pub(super) watch: Watch,
    pub(super) service: Service,
    /// Chosen by who made the channel: a UUID, or another text of up to 64 characters.
    pub(super) id: String,
    /// The genuine token.
    pub(super) token: String,
    pub(super) resource_id: String,
    pub(super) resource_uri: String,
    /// When it ends, as an HTTP date; `None`: never.
    pub(super) expires: Option<String>,
    /// What stands before the sequence number in message numbers, which grow and have gaps.
    pub(super) first_number: u64,
    /// The record key.
    pub(super) partition_key: Arc<str>,
    claims: Claims,
}

/// CloudEvents `source` of a channel's records.
pub(super) fn source(service: Service, id: &str) -> String {
    format!("//www.googleapis.com/{}/channels/{}", service.as_str(), encode(id))
}

/// All channels of a world.
pub(super) struct Watches {
    seed: u64,
    now: i64,
    ring: KeyRing,
    world: World,
    kept: Kept<Channel>,
}

impl fmt::Debug for Watches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watches").field("world", &self.world).finish_non_exhaustive()
    }
}

impl Watches {
    pub(super) fn new(seed: u64, now: i64, ring: KeyRing, world: World) -> Self {
        Self { seed, now, ring, world, kept: Kept::new(world.accounts() * 4) }
    }

    /// A channel at random.
    pub(super) fn any(&self, rng: &mut Rng) -> Borrowed<'_, Channel> {
        let (tenant, mailbox) = (self.world.any_tenant(rng), self.world.any_mailbox(rng));
        let watch = rng.below(4);
        let index = self.world.account(tenant, mailbox) * 4 + watch;
        self.kept.get(index, || self.make(tenant, mailbox, index))
    }

    /// A bad value in the place of the channel's token.
    pub(super) fn forge(
        &self,
        channel: &Channel,
        forgery: Forgery,
        today: u16,
        rng: &mut Rng,
    ) -> Option<String> {
        self.ring
            .forge(channel.service, &channel.claims, forgery, today, rng.next())
            .expect("these claims were minted before")
    }

    fn make(&self, tenant: u32, mailbox: u32, index: u64) -> Channel {
        let mut rng = Rng::new(self.seed, Stream::Channel, index);
        let mut mailbox_rng = Rng::new(self.seed, Stream::Mailbox, index / 4);
        let watch = Watch::ALL[(index % 4) as usize];
        let moment = (self.seed, self.now);
        let claims = claims(moment, (tenant, mailbox), watch.label(), &mut mailbox_rng);
        let uuid = rng.uuid();
        let id = if index % 5 == 3 { format!("postern/{uuid}=") } else { uuid };
        let place = rng.next() as usize;
        let token = self.ring.mint_by(place, watch.service(), &claims);
        let owner = claims.user.as_deref().or(claims.subject.as_deref()).unwrap_or_default();
        let ends = self.now + (DAY + rng.below(5 * DAY)) as i64;
        let mut resource_id = String::new();
        rng.letters(&mut resource_id, 27, URL_SAFE);
        Channel {
            watch,
            service: watch.service(),
            resource_uri: uri(watch, (tenant, mailbox), &claims, &mut rng),
            resource_id,
            token: token.expect("every name in the world is short enough for the longest token"),
            expires: (mailbox % 5 != 4).then(|| time("%a, %d %b %Y %H:%M:%S GMT", ends)),
            // Some numbers fit no double, some no signed integer.
            first_number: match rng.below(4) {
                0 => (1 << 53) + 1,
                1 => (1 << 63) + 1,
                _ => 2 + rng.below(300_000),
            },
            partition_key: format!("{}/{}", encode(&claims.tenant), encode(owner)).into(),
            id,
            claims,
        }
    }
}

/// The address of what is watched, in one of the versions and spellings in use.
fn uri(watch: Watch, (tenant, mailbox): (u32, u32), claims: &Claims, rng: &mut Rng) -> String {
    let host = "https://www.googleapis.com";
    let query = rng.pick(&["", "?alt=json"]);
    match watch {
        Watch::Events | Watch::Settings => {
            // The subject of an installation-level connection is the calendar's own id.
            let address = claims.subject.clone();
            let address = address.unwrap_or_else(|| format!("box{mailbox}@t{tenant}.example"));
            let calendar = match rng.below(3) {
                0 if claims.user.is_some() => "primary".into(),
                1 => encode(&address),
                _ => address.as_str().into(),
            };
            let collection = match (watch, rng.below(3)) {
                (Watch::Events, _) => format!("calendars/{calendar}/events"),
                (_, 0) => format!("calendars/{calendar}/acl"),
                (_, 1) => "users/me/settings".into(),
                _ => "users/me/calendarList".into(),
            };
            format!("{host}/calendar/v3/{collection}{query}")
        }
        Watch::Changes => {
            let version = rng.pick(&["v2", "v3"]);
            let query = rng.pick(&[query, "?alt=json&pageToken=4021&includeCorpusRemovals=true"]);
            format!("{host}/drive/{version}/changes{query}")
        }
        Watch::File => {
            let mut id = String::from("1");
            rng.letters(&mut id, 32, URL_SAFE);
            format!("{host}/drive/{}/files/{id}{query}", rng.pick(&["v2", "v3"]))
        }
    }
}
