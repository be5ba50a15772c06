//! How are many tokens minted at once: JSON lines in, tokens out, all or nothing?

use std::io::{BufRead, Read as _};

use postern_core::claims::Claims;
use postern_core::key_ring::KeyRing;
use postern_core::service::Service;
use serde::Deserialize;

use super::last_day;
use crate::exit::UsageError;

/// The claims of one token fit in far less; bounds the memory for one line.
const LONGEST_LINE: u64 = 64 << 10;
/// How many bad lines are named before the rest is only counted.
const NAMED: usize = 20;

/// One line.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    service: String,
    tenant: String,
    user: Option<String>,
    subject: Option<String>,
    label: Option<String>,
    last_day: Option<String>,
}

/// Mints a token for each line, in their order.
///
/// # Errors
/// When any line is bad; the error names the bad lines.
pub(super) fn mint(ring: &KeyRing, mut input: impl BufRead) -> anyhow::Result<String> {
    let mut tokens = String::new();
    let mut faults = Vec::new();
    let mut bad = 0_usize;
    let mut line = Vec::new();
    for number in 1_usize.. {
        line.clear();
        if input.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let cut = line.len() as u64 == LONGEST_LINE && line.last() != Some(&b'\n');
        let minted = if cut { Err("it is too long".to_owned()) } else { one(ring, &line) };
        match minted {
            Ok(token) => {
                tokens.push_str(&token);
                tokens.push('\n');
            }
            Err(fault) => {
                bad += 1;
                if faults.len() < NAMED {
                    faults.push(format!("line {number}: {fault}"));
                }
            }
        }
        if cut {
            // Where the next line begins is not known.
            break;
        }
    }
    if bad == 0 {
        return Ok(tokens);
    }
    if bad > faults.len() {
        faults.push(format!("and {} more", bad - faults.len()));
    }
    Err(UsageError(format!("nothing was minted\n  {}", faults.join("\n  "))).into())
}

fn one(ring: &KeyRing, line: &[u8]) -> Result<String, String> {
    // serde takes a list for a struct as well: its values would be named by their order alone.
    if !line.trim_ascii_start().starts_with(b"{") {
        return Err(
            "a line holds one JSON object, such as {\"service\":\"graph\",\"tenant\":\"org_acme\"}"
                .to_owned(),
        );
    }
    let line: Line = serde_json::from_slice(line).map_err(|error| {
        // The position in the line is in the text, "line 1" would mislead.
        let text = error.to_string();
        text.split(" at line 1 ").collect::<Vec<_>>().join(" at ")
    })?;
    let service = Service::from_word(&line.service)
        .ok_or_else(|| "service must be graph, calendar, drive or ews".to_owned())?;
    let claims = Claims {
        tenant: line.tenant,
        user: line.user,
        subject: line.subject,
        label: line.label,
        last_day: line.last_day.as_deref().map(last_day).transpose()?,
    };
    ring.mint(service, &claims).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::super::tests::ring;
    use super::*;

    fn mint_all(input: &str) -> Result<String, String> {
        mint(&ring("k1"), input.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn one_token_a_line() {
        let tokens = mint_all(concat!(
            r#"{"service":"graph","tenant":"org_acme"}"#,
            "\n",
            r#"{"service":"drive","tenant":"org_acme","user":"user_123","label":null}"#,
        ));
        let expected = "p1.k1.AQhvcmdfYWNtZQ.nDdMAsImbt9ZVgRzlPUI4w\n\
                        p1.k1.AQhvcmdfYWNtZQMIdXNlcl8xMjM.iKOzYK1DadBJ8xFdNltvYQ\n";
        assert_eq!(tokens.as_deref(), Ok(expected));
        assert_eq!(mint_all("").as_deref(), Ok(""));
    }

    #[test]
    fn a_bad_line_is_named_and_nothing_is_minted() {
        let good = r#"{"service":"graph","tenant":"t"}"#;
        for bad in [
            "",
            "{",
            "[]",
            r#"["graph","t",null,null,null,null]"#,
            r#"{"service":"graph"}"#,
            r#"{"service":"gmail","tenant":"t"}"#,
            r#"{"service":"graph","tenant":""}"#,
            r#"{"service":"graph","tenant":"t","lastDay":"2026-12-31"}"#,
            r#"{"service":"graph","tenant":"t","last_day":"2026-12-32"}"#,
            r#"{"service":"graph","tenant":"t","tenant":"u"}"#,
            r#"{"service":"graph","tenant":"t"} {}"#,
            &format!(r#"{{"service":"graph","tenant":"{}"}}"#, "t".repeat(200)),
            &"x".repeat(100_000),
        ] {
            let error = mint_all(&format!("{good}\n{bad}\n{good}\n")).expect_err(bad);
            assert!(error.contains("line 2: "), "{error}");
            assert!(!error.contains("line 1"), "{error}");
        }
        let many = mint_all(&"{\n".repeat(30)).expect_err("are bad");
        assert!(many.ends_with("and 10 more"), "{many}");
    }
}
