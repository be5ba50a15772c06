//! Which hook tokens do the tests send? Those that the simulator mints: it shares no code with the product.

use postern_sim::{Claims, KeyRing, Service};

/// The name of the ring's only key.
pub const KID: &str = "k1";
/// The ring key of the contract's own test vectors.
pub const KEY: [u8; 32] = {
    let mut key = [0; 32];
    let mut place = 0;
    while place < 32 {
        key[place] = place as u8;
        place += 1;
    }
    key
};

/// The ring that [`super::config::Config::ring`] configures.
pub fn ring() -> KeyRing {
    KeyRing::new([(KID, &KEY[..])]).expect("the key is long enough")
}

/// A Graph `clientState` for a user's connection.
pub fn graph(tenant: &str, user: &str, label: &str) -> String {
    let claims = Claims {
        tenant: tenant.into(),
        user: Some(user.into()),
        label: Some(label.into()),
        ..Claims::default()
    };
    mint(Service::Graph, &claims)
}

/// Any token.
pub fn mint(service: Service, claims: &Claims) -> String {
    ring().mint(service, claims).expect("the claims fit")
}
