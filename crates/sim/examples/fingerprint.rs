//! temporary
use postern_sim::{KeyRing, Mix, Provider, Scenario, World};
use sha2::{Digest, Sha256};
fn main() {
    let key: Vec<u8> = (0..32).collect();
    let ring = KeyRing::new([("k1", key.as_slice()), ("prod-7", &[7; 40][..])]).unwrap();
    let graph = Provider::Graph { ring, world: World::default() };
    let s = Scenario::new(1, 1_795_305_600, Mix::varied(), [graph]).unwrap();
    let mut h = Sha256::new();
    for n in 0..5000 {
        h.update(format!("{:?}", s.delivery(n)));
    }
    eprintln!("{:02x?}", &h.finalize()[..8]);
}
