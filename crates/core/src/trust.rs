//! Whose delivery is it? Judges what a provider echoed against keys, static secrets and the deny list.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::claims::Claims;
use crate::key_ring::{self, KeyRing};
use crate::proven::Proven;
use crate::reason::Reason;
use crate::secret::Secret;
use crate::service::Service;
use crate::time::Day;

/// Everything that decides whether a delivery is genuine; swapped as a whole when keys or deny rules change.
#[derive(Debug, Default)]
pub struct Trust {
    ring: Option<KeyRing>,
    proven: Proven,
    static_secrets: Vec<StaticSecret>,
    deny: Deny,
}

/// A secret of a subscription made elsewhere; it maps to a tenant and a user.
pub struct StaticSecret {
    service: Service,
    /// Digests are compared, so that neither content nor length shows in the time it takes.
    digest: [u8; 32],
    claims: Arc<Claims>,
}

/// The connections whose deliveries are thrown away.
#[derive(Debug, Default)]
pub struct Deny {
    /// Tenant to users; an entry without users denies the whole tenant.
    rules: HashMap<String, Denied>,
}

#[derive(Debug)]
enum Denied {
    Tenant,
    Users(HashSet<String>),
}

/// What came of judging one echoed value.
#[derive(Clone, Debug)]
pub enum Judgement {
    /// It proves this connection.
    Genuine(Arc<Claims>),
    /// It proves a connection that is denied.
    Denied,
    /// It proves nothing.
    Untrusted(Reason),
}

impl Trust {
    /// Puts keys, static secrets and the deny list together.
    #[must_use]
    pub fn new(ring: Option<KeyRing>, static_secrets: Vec<StaticSecret>, deny: Deny) -> Self {
        Self { ring, proven: Proven::default(), static_secrets, deny }
    }

    /// The key ring, if there is one.
    #[must_use]
    pub fn ring(&self) -> Option<&KeyRing> {
        self.ring.as_ref()
    }

    /// Whether anything could verify a delivery of that service: without, its routes do not exist.
    #[must_use]
    pub fn covers(&self, service: Service) -> bool {
        self.ring.is_some() || self.static_secrets.iter().any(|secret| secret.service == service)
    }

    /// Whether a whole tenant is denied: what a Pub/Sub source tells of names no user.
    #[must_use]
    pub fn denies_tenant(&self, tenant: &str) -> bool {
        matches!(self.deny.rules.get(tenant), Some(Denied::Tenant))
    }

    /// Judges an echoed value on a day; `tenant` is the route's tenant segment, where it has one
    /// (`Some(None)`: a segment that does not decode and so names nobody).
    #[must_use]
    pub fn judge(
        &self,
        service: Service,
        echoed: Option<&str>,
        tenant: Option<Option<&str>>,
        today: Day,
    ) -> Judgement {
        let claims = match self.connection(service, echoed.unwrap_or_default()) {
            Ok(claims) => claims,
            Err(reason) => return Judgement::Untrusted(reason),
        };
        // First, whatever else is wrong with it: nothing of a denied connection is stored, not even as untrusted.
        if self.deny.covers(&claims) {
            return Judgement::Denied;
        }
        if claims.expired(today) {
            return Judgement::Untrusted(Reason::ExpiredToken);
        }
        if tenant.is_some_and(|tenant| tenant != Some(claims.tenant.as_str())) {
            return Judgement::Untrusted(Reason::TenantMismatch);
        }
        Judgement::Genuine(claims)
    }

    /// The connection that an echoed value proves, on any day.
    fn connection(&self, service: Service, echoed: &str) -> Result<Arc<Claims>, Reason> {
        if echoed.is_empty() {
            return Err(Reason::NoToken);
        }
        if let Some(claims) = self.static_secret(service, echoed) {
            return Ok(claims);
        }
        match &self.ring {
            Some(ring) => self.proven.claims(service, echoed, || ring.prove(service, echoed)),
            None => Err(key_ring::without_ring(echoed)),
        }
    }

    /// Looks at every secret of the service, also after a match: the time tells nothing.
    fn static_secret(&self, service: Service, echoed: &str) -> Option<Arc<Claims>> {
        if self.static_secrets.is_empty() {
            return None;
        }
        let digest: [u8; 32] = Sha256::digest(echoed.as_bytes()).into();
        let mut found = None;
        for secret in self.static_secrets.iter().filter(|secret| secret.service == service) {
            if bool::from(secret.digest.ct_eq(&digest)) {
                found = Some(Arc::clone(&secret.claims));
            }
        }
        found
    }
}

impl StaticSecret {
    /// Maps a secret to a tenant, and to a user unless it is at installation level.
    #[must_use]
    pub fn new(service: Service, secret: &Secret, tenant: String, user: Option<String>) -> Self {
        let claims = Arc::new(Claims { tenant, user, ..Claims::default() });
        Self { service, digest: Sha256::digest(secret.expose()).into(), claims }
    }
}

impl std::fmt::Debug for StaticSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StaticSecret").field("service", &self.service).finish_non_exhaustive()
    }
}

impl Deny {
    /// Builds the list from `(tenant, user)` rules; without a user the whole tenant is denied.
    #[must_use]
    pub fn new(rules: Vec<(String, Option<String>)>) -> Self {
        let mut list = HashMap::new();
        for (tenant, user) in rules {
            let entry = list.entry(tenant).or_insert_with(|| Denied::Users(HashSet::new()));
            match (entry, user) {
                (Denied::Users(users), Some(user)) => {
                    users.insert(user);
                }
                (entry @ Denied::Users(_), None) => *entry = Denied::Tenant,
                (Denied::Tenant, _) => {}
            }
        }
        Self { rules: list }
    }

    /// Whether a connection is denied.
    #[must_use]
    pub fn covers(&self, claims: &Claims) -> bool {
        match self.rules.get(&claims.tenant) {
            None => false,
            Some(Denied::Tenant) => true,
            Some(Denied::Users(users)) => {
                claims.user.as_ref().is_some_and(|user| users.contains(user))
            }
        }
    }
}
