//! What do the tests share: a key ring, a reader of tokens, a server that misbehaves on request?

pub(crate) mod jwt;
pub(crate) mod push;
pub(crate) mod reader;
pub(crate) mod server;

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use postern_sim::{KeyRing, Load, Mix, Provider, Scenario, Signer, Target, World};

/// 2026-11-22, in seconds since 1970-01-01.
pub(crate) const NOW: i64 = 1_795_305_600;
/// The same, in days.
pub(crate) const TODAY: u16 = 20_779;

/// The key of the contract's test vectors.
pub(crate) fn key() -> Vec<u8> {
    (0..32).collect()
}

/// Two keys, as during a rotation.
pub(crate) fn ring() -> KeyRing {
    KeyRing::new([("k1", key().as_slice()), ("prod-7", &[7; 40])]).unwrap()
}

/// The key that signs bearer tokens: made once, since that takes a while.
pub(crate) fn signer() -> Signer {
    static SIGNER: LazyLock<Signer> = LazyLock::new(|| Signer::generate("key-1").unwrap());
    SIGNER.clone()
}

/// A scenario of the Graph alone.
pub(crate) fn scenario(seed: u64, mix: Mix) -> Arc<Scenario> {
    let graph = Provider::Graph { ring: ring(), world: World::default() };
    Arc::new(Scenario::new(seed, NOW, mix, [graph]).unwrap())
}

/// A load of a number of requests on one connection.
pub(crate) fn load(port: u16, requests: u64) -> Load {
    let target = Target::parse(&format!("http://127.0.0.1:{port}")).unwrap();
    let timeout = Duration::from_secs(5);
    Load { connections: 1, requests: Some(requests), timeout, ..Load::new(target) }
}
