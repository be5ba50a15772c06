//! What does the `validationToken` handshake of Graph ask for, and what is echoed?
//!
//! Source: Microsoft Graph, "Receive change notifications through webhooks", `notificationUrl` validation.

use crate::percent;

/// Longest token that is echoed, decoded, in bytes. Graph's own have about 117.
const LONGEST: usize = 1_024;

/// What a query asks of the handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Handshake {
    /// It is not a handshake.
    Absent,
    /// Answer with this text and nothing else.
    Echo(String),
    /// A handshake that must not be echoed: empty, repeated, too long, with control characters or badly encoded.
    Refused,
}

/// Reads the query of a request. The parameter's name is matched exactly, as Graph writes it.
#[must_use]
pub fn read(query: Option<&str>) -> Handshake {
    let mut tokens = query.unwrap_or_default().split('&').filter_map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (name == "validationToken").then_some(value)
    });
    let Some(token) = tokens.next() else { return Handshake::Absent };
    // Three characters at most encode one byte, so anything longer is refused undecoded.
    if tokens.next().is_some() || token.len() > 3 * LONGEST {
        return Handshake::Refused;
    }
    match percent::decode_form(token) {
        Some(text)
            if !text.is_empty() && text.len() <= LONGEST && !text.chars().any(char::is_control) =>
        {
            Handshake::Echo(text)
        }
        _ => Handshake::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn echo(text: &str) -> Handshake {
        Handshake::Echo(text.to_owned())
    }

    #[test]
    fn decodes_as_a_form() {
        let spoken =
            "Validation: Testing client application reachability for subscription Request-Id: 1";
        for query in [
            "validationToken=Validation%3a+Testing+client+application+reachability+for+subscription+Request-Id%3a+1",
            "validationToken=Validation%3A%20Testing%20client%20application%20reachability%20for%20subscription%20Request-Id%3A%201",
        ] {
            assert_eq!(read(Some(query)), echo(spoken));
        }
        assert_eq!(read(Some("t=1&validationToken=abc%2B%2F%3D123&u")), echo("abc+/=123"));
        let script = "validationToken=%3Cscript%3Ealert(1)%3C%2Fscript%3E";
        assert_eq!(read(Some(script)), echo("<script>alert(1)</script>"));
        assert_eq!(read(Some("validationToken=a=b")), echo("a=b"));
        let longest = "x".repeat(1_024);
        assert_eq!(read(Some(&format!("validationToken={longest}"))), echo(&longest));
    }

    #[test]
    fn refuses_what_must_not_be_echoed() {
        let too_long = format!("validationToken={}", "x".repeat(1_025));
        let far_too_long = format!("validationToken={}", "x".repeat(100_000));
        for query in [
            "validationToken=",
            "validationToken",
            "validationToken=a&validationToken=b",
            "validationToken=%",
            "validationToken=%0",
            "validationToken=%zz",
            "validationToken=%ff",
            "validationToken=a%0d%0aSet-Cookie",
            "validationToken=%00",
            "validationToken=%C2%85",
            "validationToken=%7f",
            &too_long,
            &far_too_long,
        ] {
            assert_eq!(read(Some(query)), Handshake::Refused, "{query:.40}");
        }
    }

    #[test]
    fn the_name_is_matched_exactly() {
        for query in [
            None,
            Some(""),
            Some("validationtoken=a"),
            Some("xvalidationToken=a"),
            Some("a=validationToken"),
        ] {
            assert_eq!(read(query), Handshake::Absent);
        }
    }
}
