//! Which hook tokens has this key ring proven before? A subscription echoes one token for days.

use std::sync::Arc;

use quick_cache::sync::Cache;

use crate::claims::Claims;
use crate::service::Service;

/// How many tokens of a service are remembered: the busy subscriptions of a replica. What is forgotten is proven again.
const REMEMBERED: usize = 8_192;

/// Proven tokens of one key ring, by service: with the ring they go. A token is looked up as a whole, and what does not
/// match any is judged as ever; the hash is seeded at random, so that nobody can aim at a place.
pub(crate) struct Proven([Cache<Box<str>, Arc<Claims>>; Service::HOOKED.len()]);

impl Default for Proven {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Cache::new(REMEMBERED)))
    }
}

impl std::fmt::Debug for Proven {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proven").finish_non_exhaustive()
    }
}

impl Proven {
    /// What the token proved before, or what `prove` makes of it now; only a proof is remembered.
    pub(crate) fn claims<E>(
        &self,
        service: Service,
        token: &str,
        prove: impl FnOnce() -> Result<Claims, E>,
    ) -> Result<Arc<Claims>, E> {
        let at = Service::HOOKED.iter().position(|hooked| *hooked == service);
        let Some(cache) = at.and_then(|at| self.0.get(at)) else { return prove().map(Arc::new) };
        if let Some(claims) = cache.get(token) {
            return Ok(claims);
        }
        let claims = Arc::new(prove()?);
        cache.insert(token.into(), Arc::clone(&claims));
        Ok(claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_remembered_for_its_service_and_a_refusal_is_not() {
        let proven = Proven::default();
        let claims = || Ok::<_, ()>(Claims { tenant: "t".to_owned(), ..Claims::default() });
        assert_eq!(proven.claims(Service::Graph, "token", || Err(())), Err(()));
        let first = proven.claims(Service::Graph, "token", claims).expect("proven");
        let again = proven.claims(Service::Graph, "token", || Err(())).expect("remembered");
        assert!(Arc::ptr_eq(&first, &again));
        assert_eq!(proven.claims(Service::Drive, "token", || Err(())), Err(()), "another service");
        assert_eq!(proven.claims(Service::Graph, "token ", || Err(())), Err(()), "another token");
    }

    #[test]
    fn what_it_remembers_is_bounded() {
        let proven = Proven::default();
        for at in 0..REMEMBERED * 3 {
            let claims = || Ok::<_, ()>(Claims::default());
            proven.claims(Service::Graph, &at.to_string(), claims).expect("proven");
        }
        let held: usize = proven.0.iter().map(Cache::len).sum();
        assert!(held <= REMEMBERED, "{held}");
    }
}
