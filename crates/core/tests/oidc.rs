//! Which tokens of a Pub/Sub push are accepted? Every way in which one can be wrong, each on its own.

#[path = "oidc/cache.rs"]
mod cache;
#[path = "oidc/claims.rs"]
mod claims;
#[path = "oidc/form.rs"]
mod form;
#[path = "oidc/header.rs"]
mod header;
#[path = "oidc/key_sets.rs"]
mod key_sets;
#[path = "oidc/signature.rs"]
mod signature;
#[path = "../../../tests/fixtures/oidc.rs"]
mod signer;
#[path = "oidc/world.rs"]
mod world;

/// Every case of the matrix has a name of its own, and there are as many as were written.
#[test]
fn the_matrix_is_whole() {
    let world = world::World::new();
    let groups = [
        form::cases(&world),
        header::cases(&world),
        claims::cases(&world),
        signature::cases(&world),
    ];
    let cases: Vec<world::Case> = groups.into_iter().flatten().collect();
    let names: std::collections::BTreeSet<&str> =
        cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names.len(), cases.len(), "two cases of one name");
    println!("{} cases", cases.len());
    assert!(cases.len() >= 250, "{} cases", cases.len());
}
