//! Which notifications are counted? One of each service, from the fixtures that the tests judge.

use std::path::Path;

/// A token of Google's form, signed once with a key that was thrown away; good until 2100.
const TOKEN: &str = include_str!("token.txt");

/// A notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    Graph,
    GraphTen,
    Gmail,
    /// Gmail with a token that was not seen before: RS256.
    GmailNewToken,
    Workspace,
    Calendar,
    Drive,
}

impl Case {
    pub(crate) const ALL: &[Self] = &[
        Self::Graph,
        Self::GraphTen,
        Self::Gmail,
        Self::GmailNewToken,
        Self::Workspace,
        Self::Calendar,
        Self::Drive,
    ];

    /// The name in `counts.toml`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Graph => "graph",
            Self::GraphTen => "graph-10",
            Self::Gmail => "gmail",
            Self::GmailNewToken => "gmail-new-token",
            Self::Workspace => "workspace",
            Self::Calendar => "calendar",
            Self::Drive => "drive",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|case| case.name() == name)
    }

    fn fixture(self) -> &'static str {
        match self {
            Self::Graph | Self::GraphTen => "microsoft/sample-outlook-message-basic",
            Self::Gmail | Self::GmailNewToken => "google/sample-gmail-push",
            Self::Workspace => "google/workspace-file-edited",
            Self::Calendar => "google/sample-calendar-exists",
            Self::Drive => "google/sample-drive-file-updated",
        }
    }

    /// Head (without its empty line) and body, as the fixture has them.
    pub(crate) fn request(self) -> Result<(String, Vec<u8>), String> {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures");
        let file = fixtures.join(self.fixture()).join("request.http");
        let text = std::fs::read_to_string(&file)
            .map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
        let (head, body) = text.split_once("\n\n").ok_or("the fixture has no empty line")?;
        let head = head
            .replace("pubsub/gmail", "pubsub/counts")
            .replace("pubsub/workspace", "pubsub/counts")
            .replace("{{oidc gmail}}", TOKEN.trim())
            .replace("{{oidc workspace}}", TOKEN.trim());
        let body = if self == Self::GraphTen { repeated(body, 10)? } else { body.to_owned() };
        Ok((head, body.into_bytes()))
    }
}

/// A Graph body with its one item several times.
fn repeated(body: &str, times: usize) -> Result<String, String> {
    let (start, rest) = body.split_once('[').ok_or("the fixture has no list")?;
    let (item, end) = rest.rsplit_once(']').ok_or("the fixture's list has no end")?;
    Ok(format!("{start}[{}]{end}", vec![item; times].join(",")))
}
