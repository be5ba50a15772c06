//! Are wrong settings refused by name, and never quoted?

use super::*;

fn settings() -> Settings {
    Settings::new("127.0.0.1:9092", TopicNames::default())
}

#[test]
fn every_fixed_property_is_refused_and_exists() {
    for name in FIXED_PROPERTIES {
        assert!(check_property(name).is_err(), "{name}");
        let known = !matches!(check_native(name, ""), Err(SettingsError::UnknownProperty(_)));
        assert!(known, "librdkafka has no {name}");
    }
}

#[test]
fn what_we_set_ourselves_and_durability_needs_is_fixed() {
    let ours = settings().producer(10, 10, Duration::from_secs(2));
    for name in [
        "enable.idempotence",
        "acks",
        "max.in.flight.requests.per.connection",
        "partitioner",
        "allow.auto.create.topics",
        "message.timeout.ms",
        "queue.buffering.max.messages",
        "queue.buffering.max.kbytes",
    ] {
        assert!(ours.get(name).is_some() && FIXED_PROPERTIES.contains(&name), "{name}");
    }
}

#[test]
fn open_properties_are_open() {
    for (name, value) in [
        ("linger.ms", "5"),
        ("security.protocol", "SASL_SSL"),
        ("sasl.mechanism", "SCRAM-SHA-512"),
        ("sasl.password", "x"),
        ("ssl.ca.location", "/etc/ca.pem"),
        ("compression.type", "lz4"),
        ("message.max.bytes", "2000000"),
        ("client.id", "edge-1"),
    ] {
        assert_eq!(check_value(name, value), Ok(()), "{name}");
    }
}

#[test]
fn unknown_names_and_bad_values_name_the_key_and_quote_nothing() {
    let unknown = check_value("sasl.pasword", "hunter2-hunter2").unwrap_err();
    assert_eq!(unknown, SettingsError::UnknownProperty("sasl.pasword".to_owned()));
    let bad = check_value("socket.timeout.ms", "hunter2-hunter2").unwrap_err();
    assert_eq!(bad, SettingsError::BadValue("socket.timeout.ms".to_owned()));
    let servers = check_value("bootstrap.servers", "hunter2-hunter2").unwrap_err();
    for error in [unknown, bad, servers] {
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

#[test]
fn values_that_do_not_go_together_are_refused_without_quoting_them() {
    let mut settings = settings();
    settings.properties.insert("security.protocol".into(), "SSL".into());
    settings.properties.insert("ssl.ca.location".into(), "/hunter2/does/not/exist.pem".into());
    assert_eq!(settings.problems(), []);
    let error = settings.verify().unwrap_err();
    assert!(matches!(error, SettingsError::Client(_)), "{error:?}");
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

#[test]
fn good_settings_pass_without_a_network() {
    let mut settings = settings();
    settings.bootstrap_servers = "no-such-host.invalid:9092".to_owned();
    settings.properties.insert("security.protocol".into(), "SASL_SSL".into());
    settings.properties.insert("sasl.mechanism".into(), "SCRAM-SHA-512".into());
    settings.properties.insert("sasl.username".into(), "postern".into());
    settings.properties.insert("sasl.password".into(), "hunter2".into());
    assert_eq!(settings.verify(), Ok(()));
}

#[test]
fn debug_shows_no_value() {
    let mut settings = settings();
    settings.properties.insert("sasl.password".into(), "hunter2".into());
    assert!(!format!("{settings:?}").contains("hunter2"));
}

#[test]
fn all_problems_come_at_once() {
    let mut settings = Settings::new(" , ", TopicNames::default());
    settings.topics.events = "no spaces".into();
    settings.topics.lifecycle = settings.topics.quarantine.clone();
    settings.properties.insert("acks".into(), "1".into());
    settings.properties.insert("nonsense".into(), "1".into());
    let problems = settings.problems();
    assert_eq!(problems.len(), 5, "{problems:?}");
    assert!(problems.contains(&SettingsError::SameTopic("lifecycle", "quarantine")));
}

#[test]
fn topic_names_are_those_that_kafka_allows() {
    for good in ["a", "postern.events.v1", "A_b-9", &"x".repeat(249)] {
        assert!(is_topic_name(good), "{good}");
    }
    for bad in ["", ".", "..", "a b", "a/b", "ä", &"x".repeat(250)] {
        assert!(!is_topic_name(bad), "{bad}");
    }
}

#[test]
fn the_follower_takes_over_the_connection_and_nothing_else() {
    let mut settings = settings();
    settings.properties.insert("sasl.username".into(), "postern".into());
    settings.properties.insert("linger.ms".into(), "5".into());
    let config = settings.client();
    assert_eq!(config.get("linger.ms"), None);
    assert!(config.get("sasl.username").is_some());
}
