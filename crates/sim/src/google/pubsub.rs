//! What does a Pub/Sub push subscription send, and what must come of it?

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Uri, header};

use super::{
    bearer::Bearers,
    envelope::{Envelope, Message},
    gmail, malformed,
    push::{Feed, Push, event_source},
    sender, time, workspace,
};
use crate::{
    delivery::{Delivery, Expected, Item, Reason, RecordKey, Verdict},
    hook::Forgery,
    oidc::{self, JwtForgery},
    rng::Rng,
    scenario::{Mix, ScenarioError, World},
    text::encode,
};

/// Whose message it is.
pub(super) struct Account<'a> {
    pub(super) seed: u64,
    pub(super) now: i64,
    /// The tenant that the receiver is configured with.
    pub(super) tenant: Option<&'a str>,
    /// Which tenant's domain the mailbox is in.
    pub(super) domain: u32,
    pub(super) mailbox: u32,
    /// The number of the mailbox among all.
    pub(super) number: u64,
    /// For a message without an id: a word that no other one has.
    pub(super) nameless: Option<String>,
}

/// A push subscription at work.
#[derive(Debug)]
pub(crate) struct Pubsub {
    seed: u64,
    now: i64,
    world: World,
    push: Push,
    uri: Uri,
    headers: HeaderMap,
    bearers: Bearers,
    subscription: String,
    /// CloudEvents `source` of what names the subscription, and of what does not.
    named: Arc<str>,
    unnamed: Arc<str>,
}

/// What is not genuine about a push.
enum Bad {
    Jwt(JwtForgery),
    OtherSubscription,
}

impl Pubsub {
    pub(crate) fn new(
        seed: u64,
        now: i64,
        mix: &Mix,
        push: Push,
        world: World,
    ) -> Result<Self, ScenarioError> {
        push.check()?;
        if mix.forged > 0.0 {
            if mix.jwt_forgeries.is_empty() {
                return Err(ScenarioError::NoForgery);
            }
            oidc::warm_up(&mix.jwt_forgeries);
        }
        let subscription = push.named_subscription().to_owned();
        let named: Arc<str> = event_source(&subscription).into();
        let unnamed = match push.subscription {
            Some(_) => Arc::clone(&named),
            None => format!("//postern/pubsub/{}", encode(&push.source)).into(),
        };
        let uri = format!("/v1/google/pubsub/{}", encode(&push.source));
        let mut headers = sender("CloudPubSub-Google");
        if push.wrapped {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let bearers = Bearers::new(push.signer.clone(), &push.audience, &push.service_account, now);
        let uri = uri.parse().expect("a percent-encoded path");
        Ok(Self { seed, now, world, push, uri, headers, bearers, subscription, named, unnamed })
    }

    /// The delivery with this number. All draws come from `rng`.
    pub(crate) fn delivery(&self, mix: &Mix, sequence: u64, rng: &mut Rng) -> Delivery {
        let bad = rng.chance(mix.forged).then(|| self.bad(mix, rng));
        // Faults that exclude each other, so that each delivery has one reason.
        let foreign = matches!(bad, Some(Bad::OtherSubscription));
        let malformed = rng.chance(mix.malformed) && !foreign;
        let nameless = rng.chance(mix.without_id) && self.may_be_nameless();
        let unusable = rng.chance(mix.unusable) && !malformed && !foreign && !nameless;
        // Seed and place in decimal digits, as Pub/Sub's ids are: no two messages share one.
        let id = format!("{}{sequence:012}", self.seed);
        let (other_id, other_subscription) = (format!("{id}0"), self.other_subscription(rng));
        let account = self.account(nameless.then(|| format!("{:x}-{sequence:x}", self.seed)), rng);
        let published = time("%Y-%m-%dT%H:%M:%S.749Z", self.now - rng.below(60) as i64);
        // Where no id is told, a subscription may be; unwrapped it stands beside the id or not at all.
        let told = !nameless || (self.push.wrapped && rng.chance(0.5));
        let mut envelope = Envelope {
            id: (!nameless).then_some(&id),
            other_id: None,
            published: &published,
            subscription: told.then_some(&self.subscription),
            bare_data: false,
            odd: rng.chance(mix.odd),
        };
        let mut message = if unusable {
            self.unusable(&account, &mut envelope, &other_id, rng)
        } else {
            self.message(&account, mix, rng)
        };
        if foreign {
            envelope.subscription = Some(&other_subscription);
            message.verdict = Verdict::Quarantined(Reason::TenantMismatch);
        }
        let mut headers = self.headers.clone();
        let mut body = if self.push.wrapped {
            envelope.wrapped(&message, rng)
        } else {
            envelope.unwrapped(&message, &mut headers)
        };
        if malformed {
            body = self.malformed(&body, rng);
            message.verdict = Verdict::Quarantined(Reason::UnreadableBody);
        }
        let forgery = match bad {
            Some(Bad::Jwt(forgery)) => Some(forgery),
            _ => None,
        };
        self.authorize(forgery, &mut headers, rng);
        let (status, items) = match forgery {
            Some(_) => (401, Vec::new()),
            None => (204, vec![self.item(&envelope, message)]),
        };
        let expected = Expected { status, echo: None, items };
        Delivery::post(sequence, self.uri.clone(), &Arc::new(headers), body, expected)
    }

    fn message(&self, account: &Account<'_>, mix: &Mix, rng: &mut Rng) -> Message {
        match self.push.feed {
            Feed::Gmail => gmail::message(account, rng.chance(mix.odd), rng),
            Feed::Workspace => workspace::message(account, mix, rng),
        }
    }

    fn item(&self, envelope: &Envelope<'_>, message: Message) -> Item {
        let source = match envelope.subscription {
            None => Arc::clone(&self.unnamed),
            Some(name) if *name == self.subscription => Arc::clone(&self.named),
            Some(other) => event_source(other).into(),
        };
        let key = match envelope.id {
            Some(id) => RecordKey::Id(id.into()),
            None => RecordKey::Subject(message.subject),
        };
        let genuine = message.verdict.is_genuine();
        let partition_key = genuine.then(|| message.partition_key.into());
        Item { source, key, partition_key, verdict: message.verdict }
    }

    fn authorize(&self, forgery: Option<JwtForgery>, headers: &mut HeaderMap, rng: &mut Rng) {
        match forgery {
            None => drop(headers.insert(header::AUTHORIZATION, self.bearers.genuine(rng))),
            Some(forgery) => {
                for value in self.bearers.forged(forgery, rng).iter() {
                    headers.append(header::AUTHORIZATION, value.clone());
                }
            }
        }
    }

    /// One of the ways of the mix; a message of another subscription only where it is one.
    fn bad(&self, mix: &Mix, rng: &mut Rng) -> Bad {
        let mismatch =
            self.push.subscription.is_some() && mix.forgeries.contains(&Forgery::TenantMismatch);
        let ways = mix.jwt_forgeries.len() + usize::from(mismatch);
        let way = rng.below(ways as u64) as usize;
        mix.jwt_forgeries.get(way).map_or(Bad::OtherSubscription, |forgery| Bad::Jwt(*forgery))
    }

    /// Without metadata nothing tells that an unwrapped message is an event of Workspace's.
    fn may_be_nameless(&self) -> bool {
        self.push.wrapped || self.push.feed == Feed::Gmail
    }

    fn account(&self, nameless: Option<String>, rng: &mut Rng) -> Account<'_> {
        let tenant = self.push.tenant.as_deref();
        let domain = if tenant.is_some() { 0 } else { self.world.any_tenant(rng) };
        let mailbox = self.world.any_mailbox(rng);
        let number = self.world.account(domain, mailbox);
        Account { seed: self.seed, now: self.now, tenant, domain, mailbox, number, nameless }
    }

    /// A message that arrives and says nothing that can be used; unwrapped, some are bodies that cannot be read.
    fn unusable<'a>(
        &self,
        account: &Account<'_>,
        envelope: &mut Envelope<'a>,
        other_id: &'a str,
        rng: &mut Rng,
    ) -> Message {
        let wrapped = self.push.wrapped;
        let verdict = Verdict::Quarantined(Reason::UnusableItem);
        let way = rng.below(if wrapped { 8 } else { 4 });
        if way >= 6 {
            let message = self.message(account, &Mix::default(), rng);
            if way == 6 {
                envelope.other_id = Some(other_id);
            } else {
                // Braces and quotes are in no alphabet.
                envelope.bare_data = true;
            }
            return Message { verdict, ..message };
        }
        match self.push.feed {
            Feed::Workspace => workspace::unusable(account, !wrapped, rng),
            Feed::Gmail => {
                let (data, verdict) = match way {
                    4 => (b"Hello Cloud Pub/Sub! Here is my message!".to_vec(), verdict),
                    5 => (vec![1, 2, 3, 4], verdict),
                    _ => gmail::unusable(wrapped, rng),
                };
                let (subject, key) = (String::new(), String::new());
                Message { data, attributes: Vec::new(), subject, partition_key: key, verdict }
            }
        }
    }

    fn malformed(&self, body: &Bytes, rng: &mut Rng) -> Bytes {
        if self.push.wrapped { malformed::push(body, rng) } else { malformed::broken(body, rng) }
    }

    fn other_subscription(&self, rng: &mut Rng) -> String {
        match rng.below(3) {
            0 => format!("{}-2", self.subscription),
            1 => self.subscription.to_uppercase(),
            _ => format!("projects/other-{:x}/subscriptions/push", rng.below(1 << 16)),
        }
    }
}
