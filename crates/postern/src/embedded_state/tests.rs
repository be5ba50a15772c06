//! Is the state private, complete, and gone with its owner?

use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn directory() -> (tempfile::TempDir, StateDirectory) {
    let root = tempfile::tempdir().expect("a directory");
    let state = StateDirectory(root.path().join("state/postern"));
    (root, state)
}

/// What a running edge tells; its Kafka is at `bootstrap`.
fn facts<'a>(
    bootstrap: &'a str,
    signing_key: &'a KeyFile,
    pubsub: &'a [PubsubSource],
) -> Facts<'a> {
    Facts {
        bootstrap,
        public: SocketAddr::from(([127, 0, 0, 1], 8080)),
        admin: SocketAddr::from(([127, 0, 0, 1], 9464)),
        key_set_url: "http://127.0.0.1:9000/oauth2/v3/certs",
        signing_key,
        signing_kid: "embedded",
        pubsub,
    }
}

fn source(name: &str) -> PubsubSource {
    PubsubSource {
        name: name.to_owned(),
        audience: format!("http://127.0.0.1:8080/v1/google/pubsub/{name}"),
        service_account: "push@project.iam.gserviceaccount.com".to_owned(),
        subscription: None,
        wrapped: true,
        tenant: Some("org_acme".to_owned()),
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("exists").permissions().mode() & 0o777
}

#[test]
fn is_private_and_goes_with_its_owner() {
    let (_root, state) = directory();
    assert_eq!(state.read().expect("nothing there"), None);
    let key = state.fresh_key().expect("a key");
    // A newline at the end belongs to the key.
    let signing = state.write_signing_key(b"\x30\x82\n").expect("written");
    let published =
        state.publish(&key, &facts("127.0.0.1:9092", &signing, &[])).expect("published");
    assert_eq!(mode(&state.0), 0o700);
    for file in [&state.0.join(FILE), key.file.path(), signing.path()] {
        assert_eq!(mode(file), 0o600, "{}", file.display());
    }

    let read = state.read().expect("readable").expect("is there");
    assert_eq!(read, published.state);
    let secret = crate::config::secrets::read(&read.key()).expect("is there");
    assert_eq!(secret.expose(), key.secret.expose());
    assert!(secret.expose().len() >= 32);
    assert_eq!(read.signing_key().expect("is there"), b"\x30\x82\n");

    drop(published);
    drop(key);
    drop(signing);
    assert_eq!(fs::read_dir(&state.0).expect("exists").count(), 0);
    let error = read.signing_key().expect_err("is gone");
    assert!(format!("{error:#}").contains(".p8"), "{error:#}");
}

#[test]
fn the_file_says_what_simulate_has_to_know() {
    let (_root, state) = directory();
    let key = state.fresh_key().expect("a key");
    let signing = state.write_signing_key(b"der").expect("written");
    let narrow = PubsubSource {
        subscription: Some("projects/p/subscriptions/s".to_owned()),
        wrapped: false,
        tenant: None,
        ..source("files")
    };
    let sources = [source("gmail"), narrow];
    let _published =
        state.publish(&key, &facts("127.0.0.1:9092", &signing, &sources)).expect("published");
    let json = fs::read(state.0.join(FILE)).expect("is there");
    let json: serde_json::Value = serde_json::from_slice(&json).expect("is JSON");
    assert_eq!(
        json,
        serde_json::json!({
            "pid": std::process::id(),
            "bootstrap": "127.0.0.1:9092",
            "kid": "embedded",
            "keyFile": key.file.path(),
            "public": "127.0.0.1:8080",
            "admin": "127.0.0.1:9464",
            "keySetUrl": "http://127.0.0.1:9000/oauth2/v3/certs",
            "signingKeyFile": signing.path(),
            "signingKid": "embedded",
            "pubsub": [
                {
                    "name": "gmail",
                    "audience": "http://127.0.0.1:8080/v1/google/pubsub/gmail",
                    "serviceAccount": "push@project.iam.gserviceaccount.com",
                    "subscription": null,
                    "tenant": "org_acme",
                    "wrapped": true,
                },
                {
                    "name": "files",
                    "audience": "http://127.0.0.1:8080/v1/google/pubsub/files",
                    "serviceAccount": "push@project.iam.gserviceaccount.com",
                    "subscription": "projects/p/subscriptions/s",
                    "tenant": null,
                    "wrapped": false,
                },
            ],
        })
    );
}

#[test]
fn the_last_one_started_owns_it() {
    let (_root, state) = directory();
    let key = state.fresh_key().expect("a key");
    let signing = state.write_signing_key(b"der").expect("written");
    let first = state.publish(&key, &facts("127.0.0.1:1", &signing, &[])).expect("published");
    let second = state.publish(&key, &facts("127.0.0.1:2", &signing, &[])).expect("published");
    drop(first);
    let read = state.read().expect("readable").expect("is there");
    assert_eq!(read.bootstrap, "127.0.0.1:2");
    drop(second);
    assert_eq!(state.read().expect("nothing there"), None);
}

/// No process has this id: it is above the largest that Linux gives.
const NOBODY: u32 = u32::MAX;

#[test]
fn what_a_killed_edge_left_is_ignored_and_swept() {
    let (_root, state) = directory();
    let key = state.fresh_key().expect("a key");
    let signing = state.write_signing_key(b"der").expect("written");
    let mut published =
        state.publish(&key, &facts("127.0.0.1:1", &signing, &[])).expect("published");
    published.state.pid = NOBODY;
    let json = serde_json::to_vec(&published.state).expect("is JSON");
    replace(&published.file, &json).expect("can be written");
    assert_eq!(state.read().expect("readable"), None);

    let left = [RING_KEY, SIGNING_KEY, &format!("{NOBODY}.tmp")]
        .map(|extension| state.0.join(key_name(NOBODY, extension)));
    for file in &left {
        fs::write(file, b"left behind").expect("can be written");
    }
    let other = state.0.join(key_name(NOBODY, "txt"));
    fs::write(&other, b"not ours").expect("can be written");
    let _again = state.fresh_key().expect("a key");
    assert_eq!(left.map(|file| file.exists()), [false; 3]);
    assert!(other.exists() && signing.path().exists() && published.file.exists());
}

#[test]
fn nonsense_is_named() {
    let (_root, state) = directory();
    state.create().expect("can be created");
    fs::write(state.0.join(FILE), "{").expect("can be written");
    let error = state.read().expect_err("is nonsense");
    assert!(format!("{error:#}").contains("delete it"), "{error:#}");
}
