//! Does `serve` run on the embedded Kafka or on a real one?

use std::net::SocketAddr;

use super::source::Source;
use super::units;

/// Where the public listener is by default.
pub(crate) const DEFAULT_PUBLIC: &str = "127.0.0.1:8080";
/// Where the admin listener is by default.
pub(crate) const DEFAULT_ADMIN: &str = "127.0.0.1:9464";

/// Which Kafka is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// librdkafka's mock cluster, in memory; nothing is durable.
    Embedded {
        /// Where providers would post.
        public: SocketAddr,
        /// Where the admin listener is.
        admin: SocketAddr,
    },
    /// What the configuration names; a missing `kafka.bootstrap_servers` is an error.
    Configured,
}

impl Mode {
    /// Embedded only when nothing was configured and nobody but this machine can reach the listeners.
    pub(crate) fn decide(bare: bool, public: SocketAddr, admin: SocketAddr) -> Self {
        if bare && public.ip().is_loopback() && admin.ip().is_loopback() {
            Self::Embedded { public, admin }
        } else {
            Self::Configured
        }
    }

    /// The mode of a source: `--public` and `--admin` move the listeners without configuring anything.
    pub(crate) fn of(source: &Source) -> Self {
        let listener = |key, default| {
            let text = source.flag(key).map_or(default, |(value, _)| value);
            units::address(text).expect("options are parsed addresses, and so are the defaults")
        };
        let public = listener("server.public", DEFAULT_PUBLIC);
        let admin = listener("server.admin", DEFAULT_ADMIN);
        Self::decide(source.is_bare(), public, admin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decide(bare: bool, public: &str, admin: &str) -> bool {
        let address = |text: &str| text.parse().expect("is an address");
        matches!(Mode::decide(bare, address(public), address(admin)), Mode::Embedded { .. })
    }

    #[test]
    fn embedded_needs_no_configuration_and_loopback() {
        assert!(decide(true, DEFAULT_PUBLIC, DEFAULT_ADMIN));
        assert!(decide(true, "[::1]:0", "127.0.0.2:0"));
        assert!(!decide(false, DEFAULT_PUBLIC, DEFAULT_ADMIN));
        assert!(!decide(true, "0.0.0.0:8080", DEFAULT_ADMIN));
        assert!(!decide(true, DEFAULT_PUBLIC, "[::]:9464"));
        assert!(!decide(true, "203.0.113.1:8080", DEFAULT_ADMIN));
    }

    #[test]
    fn options_move_the_listeners_without_leaving_it() {
        let address = |text: &str| text.parse().expect("is an address");
        let (public, admin) = (address("127.0.0.1:0"), address(DEFAULT_ADMIN));
        let source = Source::default().with_listeners(Some(public), None);
        assert_eq!(Mode::of(&source), Mode::Embedded { public, admin });
    }
}
