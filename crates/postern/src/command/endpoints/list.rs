//! Which URLs are there, in both directions, and whose addresses stand on the other side?

use ipnet::IpNet;
use postern_core::service::Service;
use serde::Serialize;

use crate::config::Settings;
use crate::config::resolve_google::PUBSUB_ROUTE;

/// Where each provider says from which addresses it delivers.
pub(super) const SOURCES: [(&str, &str); 2] = [
    (
        MICROSOFT,
        "Microsoft lists the addresses from which Graph delivers as \"Microsoft Graph Change Notifications\" on \
         https://learn.microsoft.com/microsoft-365/enterprise/additional-office365-ip-addresses-and-urls; \
         the list may change without notice, and deliveries from other addresses have been seen.",
    ),
    (
        GOOGLE,
        "Google publishes no list of the addresses from which Pub/Sub and channels deliver: rely on the token that each \
         delivery must carry. Google's own addresses, in both directions, are those of \
         https://www.gstatic.com/ipranges/goog.json minus those of https://www.gstatic.com/ipranges/cloud.json \
         (machines of its customers); both lists change often.",
    ),
];
const MICROSOFT: &str = "microsoft";
const GOOGLE: &str = "google";

/// One thing to let through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Endpoint {
    /// `in`: providers reach us; `out`: we reach them.
    pub(super) direction: &'static str,
    /// Who listens or calls: `serve` or `fetch`.
    pub(super) role: &'static str,
    pub(super) provider: &'static str,
    pub(super) purpose: String,
    pub(super) method: &'static str,
    pub(super) url: String,
    /// Ours: where we are reached, where we come from.
    pub(super) addresses: Vec<String>,
}

/// Every endpoint; with `all` also those that nothing could verify yet.
pub(super) fn list(settings: &Settings, all: bool) -> Vec<Endpoint> {
    let live = |service| all || settings.covers(service);
    let mut endpoints = Vec::new();
    if live(Service::Graph) {
        endpoints.extend(graph(settings));
    }
    if live(Service::Gmail) {
        endpoints.extend(pubsub(settings));
    }
    let channels = [(Service::Calendar, "Calendar"), (Service::Drive, "Drive")];
    let channels = channels.into_iter().filter(|&(service, _)| live(service));
    endpoints.extend(channels.map(|(service, name)| {
        let path = format!("/v1/google/{service}");
        let purpose = format!("{name} notifications, and the sync message of a new channel");
        incoming(settings, GOOGLE, &path, purpose)
    }));
    if live(Service::Gmail) {
        let purpose = "postern reads the keys that sign Pub/Sub's tokens";
        endpoints.push(outgoing(settings, "serve", GOOGLE, purpose, &settings.google.jwks_url));
        let purpose = "fetchers read the mailboxes that notifications name";
        let url = "https://gmail.googleapis.com/";
        endpoints.push(outgoing(settings, "fetch", GOOGLE, purpose, url));
    }
    // Workspace Events, which come through Pub/Sub, name files too.
    if [Service::Calendar, Service::Drive, Service::WorkspaceEvents].into_iter().any(live) {
        let purpose = "fetchers read the calendars and files that notifications name";
        let url = "https://www.googleapis.com/";
        endpoints.push(outgoing(settings, "fetch", GOOGLE, purpose, url));
    }
    endpoints
}

fn graph(settings: &Settings) -> [Endpoint; 3] {
    let route = |path, purpose: &str| incoming(settings, MICROSOFT, path, purpose.to_owned());
    let api = format!("https://{}/v1.0/", settings.cloud.graph_host());
    [
        route(
            "/v1/microsoft/graph",
            "Graph change and lifecycle notifications, endpoint validation",
        ),
        route(
            "/v1/microsoft/graph/{tenant}",
            "Graph notifications of one tenant, which the hook token must name",
        ),
        outgoing(settings, "fetch", MICROSOFT, "fetchers read what notifications name", &api),
    ]
}

/// One for each source; the form of the route where there is none.
fn pubsub(settings: &Settings) -> Vec<Endpoint> {
    let names: Vec<&str> = match &settings.pubsub[..] {
        [] => vec!["{source}"],
        sources => sources.iter().map(|source| source.name.as_str()).collect(),
    };
    let route = |name| {
        let path = format!("{PUBSUB_ROUTE}{name}");
        let purpose = "Pub/Sub pushes: Gmail notifications, Workspace Events".to_owned();
        incoming(settings, GOOGLE, &path, purpose)
    };
    names.into_iter().map(route).collect()
}

fn incoming(settings: &Settings, provider: &'static str, path: &str, purpose: String) -> Endpoint {
    let base = settings.server.public_url.clone();
    let base = base.unwrap_or_else(|| format!("http://{}", settings.server.public));
    Endpoint {
        direction: "in",
        role: "serve",
        provider,
        purpose,
        method: "POST",
        url: format!("{base}{path}"),
        addresses: show(&settings.endpoints.ingress_addresses),
    }
}

fn outgoing(
    settings: &Settings,
    role: &'static str,
    provider: &'static str,
    purpose: &str,
    url: &str,
) -> Endpoint {
    Endpoint {
        direction: "out",
        role,
        provider,
        purpose: purpose.to_owned(),
        method: "GET",
        url: url.to_owned(),
        addresses: show(&settings.endpoints.egress_addresses),
    }
}

fn show(networks: &[IpNet]) -> Vec<String> {
    networks.iter().map(ToString::to_string).collect()
}
