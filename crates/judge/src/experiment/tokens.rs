//! How far may a clock be off before a genuine token of Google's is refused? 300 s, and no more.

use std::time::Duration;

use postern_rig::config::quoted;
use postern_rig::eventually;
use postern_rig::metrics::metric;
use postern_rig::ports::free_port;
use postern_rig::process::Postern;
use postern_sim::{KeySetServer, Signer, TokenClaims};

use crate::fault::clock::Clock;
use crate::world::{World, configure};

const AUDIENCE: &str = "https://hooks.example.com/v1/google/pubsub/gmail";
const ACCOUNT: &str = "push@project.iam.gserviceaccount.com";
const PATH: &str = "/v1/google/pubsub/gmail";
/// What a token is good for.
const LIFETIME: i64 = 3_600;
/// The leeway of the contract, and how near to its ends is looked: the requests take a moment themselves.
const LEEWAY: i64 = 300;
const NEAR: i64 = 20;

/// Pushes genuine messages to a postern of its own, whose topics nobody audits, with the clock off by more and more.
pub(super) fn check(world: &mut World) {
    let clock = Clock::new();
    let signer = Signer::generate("clock").expect("RSA keys can be made");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("the system has threads left");
    let issuer = runtime.block_on(KeySetServer::start(signer.jwks())).expect("a free port");
    let topics = world.kafka.new_topics();
    let config = configure(&world.kafka, &topics, (free_port(), free_port()), None)
        .set("google", "jwks_url", &quoted(&issuer.url()))
        .set("pubsub.gmail", "audience", &quoted(AUDIENCE))
        .set("pubsub.gmail", "service_account", &quoted(ACCOUNT))
        .set("pubsub.gmail", "wrapped", "false");
    let postern = Postern::start_with(&config, |command| clock.apply(command));
    let loaded = || metric(postern.admin(), "postern_jwks_age_seconds", &[]).is_finite();
    assert!(eventually(Duration::from_secs(10), loaded), "the key set was not loaded");
    let ends = [
        (0, 204),
        // Behind: the token seems to come from the future.
        (NEAR - LEEWAY, 204),
        (-NEAR - LEEWAY, 401),
        // Ahead: it seems to be over.
        (LIFETIME + LEEWAY - NEAR, 204),
        (LIFETIME + LEEWAY + NEAR, 401),
        (0, 204),
    ];
    for (place, (off, wanted)) in ends.into_iter().enumerate() {
        clock.step(off);
        // Each token is another one: what was verified once is remembered.
        let issued = jiff::Timestamp::now().as_second() - i64::try_from(place).expect("few");
        let token = signer.token(&TokenClaims::new(AUDIENCE, ACCOUNT, issued));
        let bearer = format!("Bearer {token}");
        let id = format!("clock-{place}");
        let headers = [("Authorization", bearer.as_str()), ("x-goog-pubsub-message-id", &id)];
        let body = br#"{"emailAddress":"jane@example.com","historyId":1710}"#;
        let status = postern.post(PATH, &headers, body).status;
        world.require(status == wanted, || {
            format!("with the clock {off:+} s off a genuine token got {status}, not {wanted}")
        });
    }
    world.note("a token 280 s outside its time is taken, one 320 s outside is not".to_owned());
}
