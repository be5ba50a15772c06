//! How does a client lose the right to write, and how does it get it back?
//!
//! rdkafka has no call for access rules; Kafka's own Java client has, and its jars are there.

use super::{Kafka, Options, SCRAM_USER, Security, node};
use crate::place;

impl Options {
    /// A broker with users and access rules: everybody may do everything until somebody is denied something.
    pub fn with_access_rules() -> Self {
        let rules = [
            ("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"),
            ("allow.everyone.if.no.acl.found", "true"),
            // Brokers among themselves, and whoever changes the rules, come by the internal listener.
            ("super.users", "User:ANONYMOUS"),
        ];
        Self {
            security: Security::ScramSha512,
            properties: rules.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
            ..Self::default()
        }
    }
}

impl Kafka {
    /// Takes the right to write, and with it that to a producer id, from the user that clients are.
    pub fn deny_writes(&self) {
        self.change_access("deny");
    }

    /// Gives back what [`Kafka::deny_writes`] took.
    pub fn allow_writes(&self) {
        self.change_access("allow");
    }

    fn change_access(&self, action: &str) {
        let program = place::repository().join("crates/rig/src/kafka/access/Access.java");
        let program = program.to_str().expect("the repository has a plain name");
        let bootstrap = format!("127.0.0.1:{}", self.nodes[0].ports.internal);
        let mut java = node::java(&[node::QUICK, &["-Xmx96m"]].concat(), program);
        java.args([&bootstrap, action, &format!("User:{SCRAM_USER}")]);
        let output = java.output();
        let output = output.unwrap_or_else(|error| panic!("setpriv does not start: {error}"));
        assert!(
            output.status.success(),
            "the access rules cannot be changed; it takes a JDK, and brokers of Options::with_access_rules:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
