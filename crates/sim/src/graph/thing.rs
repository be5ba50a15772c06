//! What changed: which ids, types and paths does Graph give it?

use super::subscription::Subscription;
use crate::{
    rng::Rng,
    text::{STANDARD, URL_SAFE, close, member},
};

/// The thing that changed.
pub(super) struct Thing {
    pub(super) resource: String,
    id: String,
    odata_type: &'static str,
    etag: String,
}

impl Thing {
    pub(super) fn new(subscription: &Subscription, kind: usize, rng: &mut Rng) -> Self {
        let mut id = String::with_capacity(152);
        id.push_str("AAMkA");
        rng.letters(&mut id, 115, URL_SAFE);
        id.push_str(rng.pick(&["AAA=", "AA==", "AAAA"]));
        let mut etag = String::with_capacity(48);
        etag.push_str("W/\\\"CQAAABYAAA");
        rng.letters(&mut etag, 26, STANDARD);
        etag.push_str("\\\"");
        let odata_type = match kind {
            0 => rng.pick(&["#Microsoft.Graph.Message", "#microsoft.graph.message"]),
            1 => rng.pick(&["#Microsoft.Graph.Event", "#microsoft.graph.event"]),
            2 => rng.pick(&["#Microsoft.Graph.Contact", "#MICROSOFT.GRAPH.CONTACT"]),
            3 => rng.pick(&["#Microsoft.Graph.TodoTask", "#microsoft.graph.todoTask"]),
            _ => "#Microsoft.Graph.OnenotePage",
        };
        Self { resource: resource(subscription, kind, &id, rng), id, odata_type, etag }
    }

    pub(super) fn write_data(&self, other_path: bool, json: &mut String) {
        json.push_str("\"resourceData\":{");
        member(json, "@odata.type", self.odata_type);
        // Microsoft's own samples hold paths that differ from the resource.
        member(
            json,
            "@odata.id",
            if other_path { "Users/other/Messages/x" } else { &self.resource },
        );
        member(json, "@odata.etag", &self.etag);
        member(json, "id", &self.id);
        close(json);
        json.push(',');
    }
}

/// The path of a thing in one of the spellings that Graph uses.
fn resource(subscription: &Subscription, kind: usize, id: &str, rng: &mut Rng) -> String {
    let user = &subscription.mailbox;
    let tenant = &subscription.provider_tenant;
    let (lower, upper) = match kind {
        0 => ("messages", "Messages"),
        1 => ("events", "Events"),
        2 => ("contacts", "Contacts"),
        3 => {
            let mut list = String::with_capacity(40);
            rng.letters(&mut list, 36, URL_SAFE);
            return match rng.below(3) {
                0 => format!("Users/{user}/todo/lists/{list}/tasks/{id}"),
                1 => format!("users/{user}/Todo/Lists/{list}/Tasks/{id}"),
                _ => format!("users('{user}')/todo/lists('{list}')/tasks('{id}')"),
            };
        }
        _ => return format!("Users/{user}/onenote/pages/{id}"),
    };
    // A consumer account has neither a tenant nor the other spellings.
    match if tenant.is_empty() { 0 } else { rng.below(4) } {
        0 => format!("Users/{user}/{upper}/{id}"),
        1 => format!("users/{user}@{tenant}/{lower}/{id}"),
        2 => format!("Users('{user}')/{lower}('{id}')"),
        _ => format!("users/{user}/{lower}/{id}"),
    }
}
