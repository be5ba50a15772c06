//! What does a Graph resource path name?
//!
//! Paths come in every spelling: `users/{id}@{tenant}/messages/{id}`, `Users/{id}/Messages/{id}`,
//! `Users('{id}')/messages('{id}')`, `me/todo/lists/{id}/tasks/{id}`. They are only taken apart for their ids.

use std::borrow::Cow;

use crate::mailbox_event::{Kind, Mailbox};

/// What a path names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ResourcePath<'a> {
    /// Starts at a user's mailbox (`users/{id}`) or at the token's own (`me`).
    pub(super) owner: Option<Owner<'a>>,
    /// The tenant suffix of `users/{user}@{tenant}`.
    pub(super) provider_tenant: Option<&'a str>,
    /// The to-do list of a task.
    pub(super) list: Option<Cow<'a, str>>,
    /// The last collection of the path and the id in it.
    collection: Option<&'a str>,
    pub(super) id: Option<Cow<'a, str>>,
}

/// Whose mailbox a path starts at.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Owner<'a> {
    Me,
    User(Cow<'a, str>),
}

/// Path segments without an id of their own.
const SINGLETONS: [&str; 4] = ["todo", "outlook", "calendar", "drive"];

impl<'a> ResourcePath<'a> {
    /// Takes a path apart; what it does not understand stays empty.
    pub(super) fn parse(path: &'a str) -> Self {
        let mut segments =
            Segments { rest: path.trim_start_matches('/'), quotes: path.contains('\'') };
        let mut named = Self::default();
        let Some((root, key)) = segments.next() else { return named };
        if root.eq_ignore_ascii_case("me") {
            named.owner = Some(Owner::Me);
        } else if root.eq_ignore_ascii_case("users") {
            let user = key.or_else(|| segments.next_id()).filter(|user| !user.is_empty());
            let Some(user) = user else { return named };
            named.name_user(user);
        } else {
            return named;
        }
        while let Some((name, key)) = segments.next() {
            if SINGLETONS.iter().any(|single| name.eq_ignore_ascii_case(single)) {
                continue;
            }
            let id = key.or_else(|| segments.next_id()).filter(|id| !id.is_empty());
            if name.eq_ignore_ascii_case("lists") {
                named.list = id;
            } else {
                (named.collection, named.id) = (Some(name), id);
            }
        }
        named
    }

    fn name_user(&mut self, user: Cow<'a, str>) {
        // `{user}@{tenant}` has a GUID behind the last @; an address never has.
        if let Cow::Borrowed(text) = user
            && let Some((user, tenant)) = text.rsplit_once('@')
            && uuid::Uuid::try_parse(tenant).is_ok()
        {
            self.provider_tenant = Some(tenant);
            self.owner = Some(Owner::User(Cow::Borrowed(user)));
        } else {
            self.owner = Some(Owner::User(user));
        }
    }

    /// The kind of the path's last collection.
    fn kind(&self) -> Kind {
        let is = |name: &str| self.collection.is_some_and(|last| last.eq_ignore_ascii_case(name));
        if is("messages") {
            Kind::Message
        } else if is("events") {
            Kind::Event
        } else if is("contacts") {
            Kind::Contact
        } else if is("tasks") {
            Kind::Task
        } else {
            Kind::Other
        }
    }

    /// The mailbox it names.
    pub(super) fn mailbox(&self) -> Mailbox<'_> {
        match &self.owner {
            Some(Owner::User(user)) if user.contains('@') => {
                Mailbox { id: None, address: Some(user) }
            }
            Some(Owner::User(user)) => Mailbox { id: Some(user), address: None },
            Some(Owner::Me) | None => Mailbox::default(),
        }
    }
}

/// The kind of a resource: its `@odata.type` decides (in any letter case), without one the path does. A `messages`
/// collection outside a mailbox is a chat's.
pub(super) fn kind(odata_type: Option<&str>, path: &ResourcePath<'_>) -> Kind {
    let Some(name) = odata_type.filter(|name| !name.is_empty()) else { return path.kind() };
    let name = name.trim_start_matches('#').to_ascii_lowercase();
    match name.as_str() {
        "microsoft.graph.message" => Kind::Message,
        "microsoft.graph.event" => Kind::Event,
        "microsoft.graph.contact" => Kind::Contact,
        "microsoft.graph.todotask" => Kind::Task,
        _ => Kind::Other,
    }
}

/// Splits a path into segments, each a name and perhaps an OData key: `messages('id')`.
struct Segments<'a> {
    rest: &'a str,
    /// Whether there are quotes in it; most paths have none and are cut more quickly.
    quotes: bool,
}

impl<'a> Segments<'a> {
    fn next(&mut self) -> Option<(&'a str, Option<Cow<'a, str>>)> {
        let segment = self.take()?;
        if !self.quotes {
            return Some((segment, None));
        }
        Some(match segment.split_once("('") {
            Some((name, key)) => match key.strip_suffix("')") {
                Some(key) => (name, Some(unquote(key))),
                None => (segment, None),
            },
            None => (segment, None),
        })
    }

    /// The next segment as an id, whatever it holds.
    fn next_id(&mut self) -> Option<Cow<'a, str>> {
        self.take().map(Cow::Borrowed)
    }

    /// Cuts at the next slash outside quotes: an OData key may hold one.
    fn take(&mut self) -> Option<&'a str> {
        if self.rest.is_empty() {
            return None;
        }
        let end = if self.quotes {
            let mut quoted = false;
            self.rest.bytes().position(|byte| {
                quoted ^= byte == b'\'';
                byte == b'/' && !quoted
            })
        } else {
            self.rest.find('/')
        };
        let (segment, rest) = match end {
            Some(at) => (&self.rest[..at], &self.rest[at + 1..]),
            None => (self.rest, ""),
        };
        self.rest = rest;
        Some(segment)
    }
}

/// In an OData string two quotes are one.
fn unquote(key: &str) -> Cow<'_, str> {
    if key.contains("''") { Cow::Owned(key.replace("''", "'")) } else { Cow::Borrowed(key) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_names_the_same() {
        let tenant = "84bd8158-6d4d-4958-8b9f-9d6445542f95";
        for path in [
            format!("users/u-1@{tenant}/messages/AAMk="),
            format!("/Users/u-1@{tenant}/Messages/AAMk="),
            format!("Users('u-1@{tenant}')/messages('AAMk=')"),
            format!("users/u-1@{tenant}/mailFolders('inbox')/messages/AAMk="),
            format!("users('u-1@{tenant}')/mailFolders/AAB/messages('AAMk=')"),
        ] {
            let named = ResourcePath::parse(&path);
            assert_eq!(named.owner, Some(Owner::User("u-1".into())), "{path}");
            assert_eq!(named.provider_tenant, Some(tenant), "{path}");
            assert_eq!(named.id.as_deref(), Some("AAMk="), "{path}");
            assert_eq!(named.kind(), Kind::Message, "{path}");
        }
    }

    #[test]
    fn names_tasks_addresses_and_quoted_ids() {
        let task = ResourcePath::parse("me/todo/lists('L')/tasks/T");
        assert_eq!((task.owner, task.list.as_deref()), (Some(Owner::Me), Some("L")));
        assert_eq!(task.id.as_deref(), Some("T"));
        let address = ResourcePath::parse("users/jane@example.com/events/E");
        assert_eq!(address.mailbox().address, Some("jane@example.com"));
        assert_eq!(address.kind(), Kind::Event);
        let quoted = ResourcePath::parse("Users('u')/contacts('a/b''c')");
        assert_eq!(quoted.id.as_deref(), Some("a/b'c"));
        assert_eq!(quoted.kind(), Kind::Contact);
    }

    #[test]
    fn understands_nothing_else() {
        for path in
            ["", "/", "NA", "chats('c')/messages('m')", "users", "users/", "me", "('')", "users('"]
        {
            assert_eq!(kind(None, &ResourcePath::parse(path)), Kind::Other, "{path}");
        }
        assert_eq!(kind(Some("#MICROSOFT.GRAPH.CONTACT"), &ResourcePath::default()), Kind::Contact);
        let mail = ResourcePath::parse("me/messages/1");
        assert_eq!(kind(Some("#Microsoft.Graph.ChatMessage"), &mail), Kind::Other);
    }
}
