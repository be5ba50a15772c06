//! Are channel notifications well-formed, complete in their variety, and honest about what they
//! expect?

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use http::HeaderMap;
use percent_encoding::percent_decode_str;
use postern_sim::{
    Delivery, Forgery, Mix, Provider, Reason, RecordKey, Scenario, Topic, Verdict, World,
};

use crate::support::{NOW, TODAY, key, push::parts, reader::read, ring};

fn play(seed: u64, mix: Mix) -> Arc<Scenario> {
    let channels = Provider::Channels { ring: ring(), world: World::default() };
    Arc::new(Scenario::new(seed, NOW, mix, [channels]).unwrap())
}

/// A header that comes once at most.
fn one<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, u16> {
    let values: Vec<_> = headers.get_all(name).iter().collect();
    match values[..] {
        [] => Ok(None),
        [value] => value.to_str().map(|text| Some(text.trim())).map_err(|_| 400),
        _ => Err(400),
    }
}

/// What a strict reader of the contract finds.
struct Found {
    id: String,
    number: u64,
    verdict: Result<(String, Topic, String), Reason>,
}

fn judge(delivery: &Delivery) -> Result<Found, u16> {
    let get = |name: &str| one(&delivery.headers, name);
    let mandatory = |name| get(name)?.filter(|value| !value.is_empty()).ok_or(400u16);
    let service = delivery.uri.path().strip_prefix("/v1/google/").unwrap();
    let number = mandatory("x-goog-message-number")?;
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(400);
    }
    let (id, state) = (mandatory("x-goog-channel-id")?, mandatory("x-goog-resource-state")?);
    let first = key();
    let keys = [("k1", first.as_slice()), ("prod-7", &[7; 40][..])];
    let tenant = read(get("x-goog-channel-token")?, service, TODAY, &keys);
    let verdict = tenant.map(|tenant| {
        let uri = get("x-goog-resource-uri").unwrap();
        let (topic, kind) = kind_of(service, state, uri);
        (tenant, topic, format!("io.postern.{kind}.v1"))
    });
    Ok(Found { id: id.into(), number: number.parse().map_err(|_| 400u16)?, verdict })
}

/// The type of contract section 4.3, from the words of the notification alone.
fn kind_of(service: &str, state: &str, uri: Option<&str>) -> (Topic, String) {
    if state == "sync" {
        return (Topic::Lifecycle, "subscription.confirmed".into());
    }
    let kind = match (service, state) {
        ("calendar", "exists") => "calendar.changed",
        ("calendar", "not_exists") => "calendar.deleted",
        ("calendar", _) => "calendar.other",
        (_, "change" | "changed") => "drive.changed",
        (_, "add") => "file.added",
        (_, "remove") => "file.removed",
        (_, "update") => "file.updated",
        (_, "trash") => "file.trashed",
        (_, "untrash") => "file.untrashed",
        _ if uri.unwrap().contains("/files/") => "file.other",
        _ => "drive.other",
    };
    (Topic::Events, kind.into())
}

#[test]
fn what_is_expected_agrees_with_an_independent_reading() {
    let scenario = play(7, Mix { malformed: 0.1, ..Mix::varied() });
    let (mut ids, mut types, mut reasons) = (HashSet::new(), BTreeSet::new(), HashSet::new());
    let mut unreadable = 0;
    for sequence in 0..10_000 {
        let delivery = scenario.delivery(sequence);
        if delivery.repeats.is_some() {
            continue;
        }
        let found = match judge(&delivery) {
            Ok(found) => found,
            Err(status) => {
                assert_eq!((delivery.expected.status, delivery.expected.items.len()), (status, 0));
                unreadable += 1;
                continue;
            }
        };
        assert_eq!(delivery.expected.status, 204, "{delivery:?}");
        let [item] = &delivery.expected.items[..] else { panic!("one message is one item") };
        assert!(ids.insert((item.source.clone(), item.key.clone())), "{item:?} is not unique");
        assert_eq!(item.key, RecordKey::Id(found.number.to_string()));
        let service = delivery.uri.path().rsplit('/').next().unwrap();
        let start = format!("//www.googleapis.com/{service}/channels/");
        let id = item.source.strip_prefix(&start).unwrap();
        assert!(!id.contains(['/', '=']), "{id} is not percent-encoded");
        assert_eq!(percent_decode_str(id).decode_utf8().unwrap(), found.id);
        match (item.verdict, found.verdict) {
            (Verdict::Published(records), Ok((tenant, topic, kind))) => {
                assert_eq!(records.len(), 1);
                assert_eq!((records[0].topic, records[0].kind), (topic, kind.as_str()));
                types.insert(kind);
                let parts = parts(item.partition_key.as_deref().unwrap());
                assert!(parts.len() == 2 && parts[0] == tenant && !parts[1].is_empty());
            }
            (Verdict::Quarantined(reason), Err(found)) => {
                assert_eq!(reason, found, "{delivery:?}");
                reasons.insert(reason);
            }
            (expected, _) => panic!("{expected:?} of {delivery:?}"),
        }
    }
    assert_eq!(reasons.len(), 5, "{reasons:?}");
    // Calendar three, changes feed two, files six, and the first message of a channel.
    assert_eq!(types.len(), 12, "{types:#?}");
    assert!((850..1_150).contains(&unreadable), "{unreadable}");
}

#[test]
fn a_seed_determines_every_notification_in_any_order() {
    let (first, second) = (play(1, Mix::varied()), play(1, Mix::varied()));
    let other = play(2, Mix::varied());
    for sequence in (0..500).rev() {
        let (delivery, again) = (first.delivery(sequence), second.delivery(sequence));
        assert_eq!(format!("{delivery:?}"), format!("{again:?}"));
        if delivery.expected.status == 204 && delivery.repeats.is_none() {
            assert_ne!(delivery.headers, other.delivery(sequence).headers);
        }
    }
}

#[test]
fn every_spelling_of_google_comes() {
    let scenario = play(11, Mix { odd: 0.3, lifecycle: 0.1, unknown: 0.1, ..Mix::default() });
    let mut found = BTreeSet::new();
    for sequence in 0..5_000 {
        let delivery = scenario.delivery(sequence);
        assert_eq!((delivery.expected.status, delivery.genuine()), (204, 1));
        let get = |name: &str| one(&delivery.headers, name).unwrap().unwrap_or_default();
        let uri = get("x-goog-resource-uri");
        let path = uri.split('?').next().unwrap();
        let number: u64 = get("x-goog-message-number").parse().unwrap();
        let expires = get("x-goog-channel-expiration");
        let lines: Vec<_> = delivery.headers.get_all("x-goog-changed").iter().collect();
        let changed = lines.first().map_or("", |line| line.to_str().unwrap());
        let content_type = get("content-type");
        let forms = [
            ("events", path.ends_with("/events")),
            ("acl", path.ends_with("/acl")),
            ("settings", path.ends_with("/users/me/settings")),
            ("calendarList", path.ends_with("/users/me/calendarList")),
            ("changes", path.ends_with("/drive/v3/changes") || path.ends_with("/drive/v2/changes")),
            ("file", path.contains("/drive/v3/files/")),
            ("no address", uri.is_empty()),
            ("primary", path.contains("/calendars/primary/")),
            ("encoded calendar", path.contains("%40")),
            ("plain calendar", path.contains('@')),
            ("query", uri.ends_with("?alt=json")),
            ("no query", !uri.contains('?')),
            ("page token", uri.contains("pageToken=")),
            ("number beyond a double", (1 << 53..1 << 60).contains(&number)),
            ("number beyond an i64", number > 1 << 63),
            ("usual number", number < 400_000),
            ("expiry", expires.starts_with(|c: char| c.is_ascii_uppercase())),
            ("no expiry", expires.is_empty()),
            ("expiry that is no date", expires == "in about a week"),
            ("one word", lines.len() == 1 && !changed.contains(',')),
            ("words with spaces", changed.contains(", ")),
            ("words without", changed.contains(',') && !changed.contains(' ')),
            ("two lines", lines.len() > 1),
            ("documented type", content_type == "application/json; utf-8"),
            ("no type", content_type.is_empty()),
            ("body of the feed", delivery.body.starts_with(b"{\n  \"kind\": \"drive#changes\"")),
            ("other body", delivery.body.starts_with(b"{\"kind\":\"api#channel\"}")),
            ("no body", delivery.body.is_empty()),
            ("future header", delivery.headers.contains_key("x-goog-future")),
            ("long channel id", get("x-goog-channel-id").starts_with("postern/")),
        ];
        found.extend(forms.into_iter().filter(|(_, found)| *found).map(|(name, _)| name));
        assert!(lines.is_empty() || get("x-goog-resource-state") == "update");
        assert!(get("x-goog-channel-id").len() <= 64);
        assert!(get("x-goog-channel-token").len() <= 256);
    }
    assert_eq!(found.len(), 30, "{found:#?}");
}

#[test]
fn expiries_are_dates_of_the_coming_week() {
    let scenario = play(3, Mix::default());
    let mut seen = 0;
    for sequence in 0..500 {
        let delivery = scenario.delivery(sequence);
        let Some(expires) = one(&delivery.headers, "x-goog-channel-expiration").unwrap() else {
            continue;
        };
        let date = jiff::fmt::rfc2822::parse(expires).unwrap().timestamp().as_second();
        assert!((NOW..NOW + 7 * 86_400).contains(&date), "{expires}");
        // An HTTP date has two digits for the day and says GMT (RFC 9110, section 5.6.7).
        assert!(expires.len() == 29 && expires.ends_with(" GMT"), "{expires}");
        seen += 1;
    }
    assert!(seen > 300, "{seen}");
}

#[test]
fn a_channel_is_confirmed_once_and_its_numbers_do_not_come_again() {
    let scenario = play(5, Mix { lifecycle: 0.3, ..Mix::default() });
    let mut numbers = HashMap::<String, Vec<u64>>::new();
    let mut confirmed = HashSet::new();
    for sequence in 0..5_000 {
        let delivery = scenario.delivery(sequence);
        let found = judge(&delivery).ok().unwrap();
        let sync = delivery.headers["x-goog-resource-state"] == "sync";
        assert_eq!(sync, found.number == 1);
        assert!(!sync || confirmed.insert(found.id.clone()), "{} twice", found.id);
        numbers.entry(found.id).or_default().push(found.number);
    }
    assert!(confirmed.len() > 1_200);
    // Sent in order they grow, with gaps.
    assert!(numbers.values().all(|numbers| numbers.is_sorted_by(|a, b| a < b)));
}

#[test]
fn every_hook_token_forgery_comes_even_on_the_first_message() {
    let mix = Mix { forged: 1.0, lifecycle: 0.5, ..Mix::default() };
    let scenario = play(6, mix);
    let (mut on_sync, mut on_others) = (HashSet::new(), HashSet::new());
    for sequence in 0..2_000 {
        let delivery = scenario.delivery(sequence);
        let Err(reason) = judge(&delivery).ok().unwrap().verdict else { panic!("{delivery:?}") };
        assert_eq!(delivery.expected.items[0].verdict, Verdict::Quarantined(reason));
        let sync = delivery.headers["x-goog-resource-state"] == "sync";
        if sync { &mut on_sync } else { &mut on_others }.insert(reason);
    }
    assert_eq!((on_sync.len(), on_others.len()), (5, 5));
    // No tenant stands in these addresses, so that there is none to differ from.
    let mix = Mix { forged: 1.0, forgeries: vec![Forgery::TenantMismatch], ..Mix::default() };
    let verdict = play(6, mix).delivery(0).expected.items[0].verdict;
    assert_eq!(verdict, Verdict::Quarantined(Reason::ForgedToken));
}

#[test]
fn the_largest_world_fits() {
    let world = World { tenants: 10_000_000, mailboxes: 1_000_000 };
    let channels = Provider::Channels { ring: ring(), world };
    let scenario = Scenario::new(1, NOW, Mix::default(), [channels]).unwrap();
    for sequence in 0..200 {
        let delivery = scenario.delivery(sequence);
        assert!(judge(&delivery).ok().unwrap().verdict.is_ok(), "{delivery:?}");
    }
}
