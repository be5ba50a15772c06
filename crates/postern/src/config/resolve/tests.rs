//! Is every faulty value refused by its key, and does no message repeat it?

use super::super::problem::Place;
use super::super::testing::{resolve, settings as good, with_variables};
use super::*;

fn problems(text: &str) -> Vec<Problem> {
    resolve(text, &Source::default(), Need::Nothing).1
}

/// The problems of a text as `key: message`.
fn shown(text: &str) -> Vec<String> {
    problems(text).iter().map(|problem| format!("{}: {}", problem.key, problem.message)).collect()
}

#[track_caller]
fn refused(text: &str, key: &str, message: &str) {
    let problems = shown(text);
    let found = problems.iter().any(|problem| {
        problem
            .strip_prefix(key)
            .is_some_and(|rest| rest.starts_with(": ") && rest.contains(message))
    });
    assert!(found, "{text}\n{key}: ..{message}.. is not in {problems:#?}");
    assert_eq!(problems.len(), 1, "{text}\n{problems:#?}");
    assert!(!problems[0].contains("hush"), "{problems:?}");
}

#[test]
fn defaults_are_those_of_the_manual() {
    let settings = good("");
    assert_eq!(settings.server.public.to_string(), "127.0.0.1:8080");
    assert_eq!(settings.server.admin.to_string(), "127.0.0.1:9464");
    assert_eq!(settings.server.deadline, Duration::from_millis(2_500));
    assert_eq!(settings.server.body_deadline, Duration::from_millis(1_500));
    assert_eq!(settings.shutdown.linger, Duration::from_secs(5));
    assert_eq!(settings.limits.connections, 10_000);
    assert_eq!(settings.limits.inflight_bytes, 64 << 20);
    assert_eq!(settings.limits.body.graph, 4 << 20);
    assert_eq!(settings.limits.items, 2_000);
    assert_eq!(settings.kafka.bootstrap_servers, None);
    assert_eq!(settings.quarantine.records_per_second, 100);
    assert_eq!(settings.quarantine.bytes_per_second, 1 << 20);
    assert_eq!(settings.quarantine.max_body, 512 << 10);
    let listeners = (settings.server.public, settings.server.admin);
    let embedded = Settings::embedded(listeners.0, listeners.1);
    assert_eq!((embedded.shutdown.linger, embedded.shutdown.grace), Default::default());
}

#[test]
fn a_shorter_deadline_alone_shortens_the_bodys() {
    let settings = good("[server]\ndeadline = \"1s\"");
    assert_eq!(settings.server.body_deadline, Duration::from_millis(600));
}

#[test]
fn numbers_have_bounds() {
    for value in ["0", "-1", "1000001", "99999999999999999999", "1.5", "true", "\"hush\"", "[1]"] {
        refused(
            &format!("[limits]\nconnections = {value}"),
            "limits.connections",
            "from 1 to 1000000",
        );
    }
    for value in ["0", "2001"] {
        refused(&format!("[limits]\nitems = {value}"), "limits.items", "from 1 to 2000");
    }
    for value in ["\"3s\"", "\"0s\"", "\"2501ms\""] {
        refused(&format!("[server]\ndeadline = {value}"), "server.deadline", "from 200ms to 2.5s");
    }
    for value in ["\"hush\"", "\"-1s\"", "\"2\""] {
        refused(&format!("[server]\ndeadline = {value}"), "server.deadline", "write a duration");
    }
    refused("[server]\ndeadline = 2.5", "server.deadline", "takes text in quotes");
    refused("[limits]\ninflight_bytes = \"1KiB\"", "limits.inflight_bytes", "from 64KiB to 64GiB");
    refused("[limits]\ninflight_bytes = 67108864", "limits.inflight_bytes", "takes text in quotes");
    refused("[shutdown]\nlinger = \"1h\"", "shutdown.linger", "from 0s to 10m");
    refused("[quarantine]\nmax_body = \"1MiB\"", "quarantine.max_body", "from 1KiB to 900KiB");
}

#[test]
fn what_does_not_go_together_is_refused() {
    refused(
        "[server]\ndeadline = \"1s\"\nbody_deadline = \"1s\"",
        "server.body_deadline",
        "shorter than server.deadline",
    );
    refused("[server]\nadmin = \"127.0.0.1:8080\"", "server.admin", "server.public");
    refused("[server]\npublic = \"0.0.0.0:9464\"", "server.public", "server.admin");
    good("[server]\npublic = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"");
    good("[server]\npublic = \"127.0.0.2:80\"\nadmin = \"127.0.0.1:80\"");
    refused("[limits]\ninflight_bytes = \"1MiB\"", "limits.inflight_bytes", "largest body");
    refused(
        "[quarantine]\nbytes_per_second = \"64KiB\"",
        "quarantine.bytes_per_second",
        "quarantine.max_body",
    );
    refused(
        "[kafka]\ntopics = { events = \"a\", lifecycle = \"a\" }",
        "kafka.topics.lifecycle",
        "its own",
    );
}

#[test]
fn words_and_names_are_checked() {
    refused("[graph]\ncloud = \"hush\"", "graph.cloud", "global, usgov or china");
    refused("[kafka]\nmode = \"hush\"", "kafka.mode", "structured or binary");
    refused("[kafka]\ntopics = { events = \"hu sh\" }", "kafka.topics.events", "1 to 249");
    refused("[server]\npublic_url = \"http://hush.example\"", "server.public_url", "https");
    refused("[server]\npublic = \"hush:1\"", "server.public", "IP address and a port");
    refused("[endpoints]\nchanged = \"hush\"", "endpoints.changed", "YYYY-MM-DD");
    refused(
        "[endpoints]\ningress_addresses = [\"hush\"]",
        "endpoints.ingress_addresses[0]",
        "CIDR",
    );
    refused("[endpoints]\ningress_addresses = \"hush\"", "endpoints.ingress_addresses", "a list");
    refused("[server]\npublic_url = \" \"", "server.public_url", "empty");
    good("[endpoints]\nchanged = 2026-11-01");
    for servers in ["hush:x", "a:9092,", ":9092", "a b:1", "a:0", "a:99999"] {
        let text = format!("[kafka]\nbootstrap_servers = {servers:?}");
        refused(&text, "kafka.bootstrap_servers", "host:port");
    }
    let settings = good("[kafka]\nbootstrap_servers = \"a:9092, [::1]:9093,b\"");
    assert_eq!(settings.kafka.bootstrap_servers.as_deref(), Some("a:9092,[::1]:9093,b"));
}

#[test]
fn properties_that_durability_fixes_are_refused_and_secrets_belong_in_files() {
    let property = |name: &str, value: &str| format!("[kafka.properties]\n\"{name}\" = {value}");
    refused(&property("acks", "1"), "kafka.properties.acks", "fixed");
    refused(
        &property("bootstrap.servers", "\"hush\""),
        "kafka.properties.\"bootstrap.servers\"",
        "kafka.bootstrap_servers",
    );
    refused(&property("nonsense", "\"hush\""), "kafka.properties.nonsense", "no property");
    refused(
        &property("linger.ms", "\"hush\""),
        "kafka.properties.\"linger.ms\"",
        "refuses the value",
    );
    refused(
        &property("sasl.password", "\"hush\""),
        "kafka.properties.\"sasl.password\"",
        "kafka.property_files",
    );
    refused(&property("linger.ms", "[1]"), "kafka.properties.\"linger.ms\"", "takes text");
    let both = "[kafka.properties]\n\"sasl.username\" = \"u\"\n[kafka.property_files]\n\"sasl.username\" = \"/f\"";
    refused(both, "kafka.property_files.\"sasl.username\"", "keep one");
    let fixed = "[kafka.property_files]\nacks = \"/f\"";
    refused(fixed, "kafka.property_files.acks", "fixed");
    let settings = good("[kafka.properties]\n\"linger.ms\" = 5\nsocket.keepalive.enable = true");
    assert_eq!(settings.kafka.properties["linger.ms"], "5");
    assert_eq!(settings.kafka.properties["socket.keepalive.enable"], "true");
}

#[test]
fn keys_and_who_signs() {
    refused("[hook_tokens]\nsigning = \"k1\"", "hook_tokens.keys", "missing");
    let two = "[hook_tokens]\nkeys = { k1 = \"/a\", k2 = \"/b\" }\n";
    refused(two, "hook_tokens.signing", "which of the keys");
    refused(&format!("{two}signing = \"k3\""), "hook_tokens.signing", "names no key");
    refused(&format!("{two}signing = \"Hush!\""), "hook_tokens.signing", "1 to 8 of");
    refused("[hook_tokens]\nkeys = { hush-hush-hush = \"k1\" }", "hook_tokens.keys", "other side");
    refused("[hook_tokens]\nkeys = { k1 = 5 }", "hook_tokens.keys.k1", "path of a file");
    refused("[hook_tokens]\nkeys = \"hush\"", "hook_tokens.keys", "is a table");
    let one = good("[hook_tokens]\nkeys = { k1 = \"/a\" }").hook_tokens.expect("has a key");
    assert_eq!(one.signing, "k1");
}

#[test]
fn tables_of_lists_say_what_they_lack() {
    let secret = "[[static_secret]]\nservice = \"graph\"\nfile = \"/a\"\n";
    refused(secret, "static_secret[0].tenant", "missing");
    refused(&format!("{secret}tenant = 5"), "static_secret[0].tenant", "takes text");
    refused(
        &format!("{secret}tenant = \"t\"\nhost = \"x\""),
        "static_secret[0].host",
        "unknown key",
    );
    for service in ["graph", "calendar", "drive"] {
        let text =
            format!("[[static_secret]]\nservice = \"{service}\"\nfile = \"/a\"\ntenant = \"t\"");
        assert_eq!(good(&text).static_secrets[0].service.as_str(), service);
    }
    for service in ["ews", "gmail", "hush"] {
        let text =
            format!("[[static_secret]]\nservice = \"{service}\"\nfile = \"/a\"\ntenant = \"t\"");
        refused(&text, "static_secret[0].service", "takes graph, calendar or drive");
    }
    assert_eq!(problems("[[static_secret]]").len(), 3);
    refused("[[deny]]\nuser = \"u\"", "deny[0].tenant", "missing");
    refused("[[deny]]\ntenant = \"t\"\n[[deny]]", "deny[1].tenant", "missing");
    refused("[deny]\ntenant = \"t\"", "deny", "write [[deny]]");
    refused("deny = \"t\"", "deny", "write [[deny]]");
    good("deny = []");
    let long = format!("[[deny]]\ntenant = \"{}\"", "hush".repeat(64));
    refused(&long, "deny[0].tenant", "255 bytes");
}

#[test]
fn a_spool_needs_a_directory_and_no_spool_needs_nothing() {
    refused("[spool]", "spool.dir", "persistent volume");
    refused("[spool]\nmax_bytes = \"1GiB\"", "spool.dir", "persistent volume");
    refused("[spool]\ndir = \"/dev/null\"", "spool.dir", "no directory");
    refused("[spool]\ndir = \"/x\"\nmax_bytes = \"1MiB\"", "spool.max_bytes", "from 16MiB");
    refused("[spool]\ndir = \"/x\"\nmax = \"1GiB\"", "spool.max", "unknown key");
    let (settings, problems) =
        resolve("[spool]\ndir = \"/x/y\"", &Source::default(), Need::Nothing);
    assert_eq!(problems, []);
    let spool = settings.spool.expect("is configured");
    assert_eq!((spool.dir, spool.max_bytes), ("/x/y".into(), 4 << 30));
    assert_eq!(resolve("", &Source::default(), Need::Nothing).0.spool, None);
}

#[test]
fn a_rule_with_a_faulty_user_does_not_deny_the_tenant() {
    let text = "[[deny]]\ntenant = \"t\"\nuser = 5";
    let (settings, problems) = resolve(text, &Source::default(), Need::Nothing);
    assert_eq!((settings.deny.len(), problems.len()), (0, 1));
}

#[test]
fn what_is_unknown_is_named_once_with_what_may_have_been_meant() {
    refused("[renew]\nenabled = true\nevery = \"1h\"", "renew", "unknown section");
    refused("[renew]", "renew", "unknown section");
    refused("[[tls]]\ncert = \"x\"", "tls[0]", "unknown section");
    refused("[sever]\npublic = \"127.0.0.1:1\"", "sever", "did you mean server?");
    refused("[server]\nlisten = \"127.0.0.1:1\"", "server.listen", "unknown key");
    refused("[kafka]\nbootstrap_server = \"a:1\"", "kafka.bootstrap_server", "bootstrap_servers?");
    refused("bootstrap_servers = \"a:1\"", "bootstrap_servers", "kafka.bootstrap_servers?");
    refused("[limits.body]\ngrpah = \"1MiB\"", "limits.body.grpah", "did you mean graph?");
    refused("[[server]]\npublic = \"127.0.0.1:1\"", "server", "write [server] once");
    refused("server = 5", "server", "is a section");
    refused("[server.public]\nport = 1", "server.public", "a value, not a table");
    refused("[server]\npublic = {}", "server.public", "a value, not a table");
    refused(&format!("[limits]\n{} = 1", "hush".repeat(20)), "limits.…", "unknown key");
}

#[test]
fn all_problems_come_at_once_with_their_lines() {
    let text = "[server]\npublic = 5\nadmin = \"x\"\n[limits]\nitems = -1\nconections = 5\n[tls]\ncert = \"x\"\n";
    let lines: Vec<_> = problems(text).into_iter().map(|problem| problem.place).collect();
    let expected = [2, 3, 5, 6, 8].map(|line| Some(Place::Line(line)));
    assert_eq!(lines.len(), expected.len());
    expected.iter().for_each(|line| assert!(lines.contains(line), "{line:?} in {lines:?}"));
}

#[test]
fn the_environment_sets_every_scalar_and_wins() {
    let source = with_variables(&[
        ("POSTERN_KAFKA__BOOTSTRAP_SERVERS", "env:9092"),
        ("POSTERN_KAFKA__TOPICS__EVENTS", "env.events"),
        ("POSTERN_KAFKA__PROPERTIES__SECURITY_PROTOCOL", "SSL"),
        ("POSTERN_KAFKA__PROPERTY_FILES__SASL_PASSWORD", "/env/password"),
        ("POSTERN_LIMITS__BODY__GRAPH", "1MiB"),
        ("POSTERN_LIMITS__ITEMS", "7"),
        ("POSTERN_HOOK_TOKENS__KEYS__K1", "/env/k1"),
        ("POSTERN_HOOK_TOKENS__KEYS__PROD_7", "/env/prod-7"),
        ("POSTERN_HOOK_TOKENS__SIGNING", "prod-7"),
        ("POSTERN_ENDPOINTS__EGRESS_ADDRESSES", "203.0.113.1, 203.0.113.2/32"),
    ]);
    let text = "[kafka]\nbootstrap_servers = \"file:9092\"\n[kafka.properties]\n\"security.protocol\" = \"PLAINTEXT\"\n\
                [hook_tokens]\nkeys = { k1 = \"/file/k1\", k2 = \"/file/k2\" }";
    let (settings, problems) = resolve(text, &source, Need::Serve);
    assert_eq!(problems, []);
    assert_eq!(settings.kafka.bootstrap_servers.as_deref(), Some("env:9092"));
    assert_eq!(settings.kafka.topics.events, "env.events");
    assert_eq!(settings.kafka.properties["security.protocol"], "SSL");
    assert_eq!(settings.kafka.property_files["sasl.password"].path.to_str(), Some("/env/password"));
    assert_eq!((settings.limits.body.graph, settings.limits.items), (1 << 20, 7));
    let tokens = settings.hook_tokens.expect("are there");
    let kids: Vec<_> =
        tokens.keys.iter().map(|(kid, file)| (kid.as_str(), file.path.to_str())).collect();
    let expected =
        [("k2", Some("/file/k2")), ("k1", Some("/env/k1")), ("prod-7", Some("/env/prod-7"))];
    assert_eq!(kids, expected);
    assert_eq!(settings.endpoints.egress_addresses.len(), 2);
}

#[test]
fn wrong_variables_are_problems_named_by_the_variable() {
    for (name, value, expected) in [
        (
            "POSTERN_KAFKA__BOOTSTRAP_SERVER",
            "hush",
            "did you mean POSTERN_KAFKA__BOOTSTRAP_SERVERS?",
        ),
        ("POSTERN_RENEW__EVERY", "hush", "names no key"),
        ("POSTERN_DENY__TENANT", "hush", "names no key"),
        ("POSTERN_SERVER__", "hush", "names no key"),
        ("POSTERN_LIMITS__ITEMS", "hush", "from 1 to 2000"),
        ("POSTERN_HOOK_TOKENS__KEYS__TOO_LONG_A_KID", "hush", "1 to 8 of"),
        ("POSTERN_SERVER__PUBLIC", "", "is empty"),
    ] {
        let (_, problems) = resolve("", &with_variables(&[(name, value)]), Need::Nothing);
        assert_eq!(problems.len(), 1, "{problems:?}");
        let text = problems[0].to_string();
        assert!(text.contains(name) && text.contains(expected) && !text.contains("hush"), "{text}");
        assert_eq!(text.contains("did you mean"), expected.contains("did you mean"), "{text}");
    }
}

#[test]
fn options_win_over_the_environment() {
    let public = "127.0.0.1:7001".parse().ok();
    let source = with_variables(&[("POSTERN_SERVER__PUBLIC", "127.0.0.1:7002")]);
    let (settings, problems) = resolve("", &source.with_listeners(public, None), Need::Nothing);
    assert_eq!((Some(settings.server.public), problems), (public, vec![]));
}

#[test]
fn needs_are_told() {
    let keys = |need| -> Vec<String> {
        let (_, problems) = resolve("", &Source::default(), need);
        problems.into_iter().map(|problem| problem.key).collect()
    };
    assert_eq!(keys(Need::Nothing), [""; 0]);
    assert_eq!(keys(Need::Kafka), ["kafka.bootstrap_servers"]);
    assert_eq!(keys(Need::Serve), ["kafka.bootstrap_servers", "hook_tokens"]);
    // A faulty value is no missing one.
    let (_, problems) = resolve(
        "[kafka]\nbootstrap_servers = 5\n[hook_tokens]\nkeys = 5",
        &Source::default(),
        Need::Serve,
    );
    assert_eq!(problems.len(), 2, "{problems:?}");
    // What is there and empty verifies nothing either.
    for empty in ["static_secret = []", "[hook_tokens]", "[hook_tokens]\nkeys = {}"] {
        let text = format!("{empty}\n[kafka]\nbootstrap_servers = \"a:1\"");
        let (_, problems) = resolve(&text, &Source::default(), Need::Serve);
        assert_eq!(problems.len(), 1, "{empty}: {problems:?}");
        assert!(problems[0].key.starts_with("hook_tokens"), "{empty}: {problems:?}");
    }
}
