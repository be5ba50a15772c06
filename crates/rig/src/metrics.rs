//! What do postern's metrics say at this moment?

use std::net::SocketAddr;

use super::client;

/// One reading of `/metrics`.
pub struct Metrics {
    text: String,
}

impl Metrics {
    /// Reads the admin listener.
    pub fn read(admin: SocketAddr) -> Self {
        let response = client::get(admin, "/metrics");
        assert_eq!(response.status, 200, "/metrics: {}", response.text());
        Self::parse(response.text())
    }

    /// A reading that somebody else made.
    pub fn parse(text: String) -> Self {
        Self { text }
    }

    /// The sum of all series of a name that carry these labels, and maybe others; 0 when there is none.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let pairs: Vec<_> =
            labels.iter().map(|(key, value)| format!("{key}=\"{value}\"")).collect();
        let mut sum = 0.0;
        for (series, value) in self.series(name) {
            // Label values come from closed sets: none holds a comma.
            let have: Vec<_> = series.split(',').collect();
            if pairs.iter().all(|pair| have.contains(&pair.as_str())) {
                sum += value;
            }
        }
        sum
    }

    /// Whether a metric of this name is there at all.
    pub fn has(&self, name: &str) -> bool {
        self.series(name).next().is_some()
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Each series of a name: its labels as written between the braces, and its value.
    pub fn series<'a>(&'a self, name: &str) -> impl Iterator<Item = (&'a str, f64)> {
        self.text.lines().filter_map(move |line| {
            let rest = line.strip_prefix(name)?;
            let (labels, value) = match rest.strip_prefix('{') {
                Some(rest) => rest.split_once('}')?,
                None => ("", rest),
            };
            let value = value.strip_prefix(' ')?;
            Some((labels, value.trim().parse().expect("a metric's value is a number")))
        })
    }
}

/// The value of one metric now; see [`Metrics::value`].
pub fn metric(admin: SocketAddr, name: &str, labels: &[(&str, &str)]) -> f64 {
    Metrics::read(admin).value(name, labels)
}
