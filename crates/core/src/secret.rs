//! How is a secret held so that nothing prints it?

use std::fmt;

use zeroize::Zeroizing;

/// Bytes that are never printed and are wiped when dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the content of a secret file; one trailing newline is removed, nothing else.
    #[must_use]
    pub fn from_file_content(content: Vec<u8>) -> Self {
        let mut content = Zeroizing::new(content);
        if content.last() == Some(&b'\n') {
            content.pop();
        }
        Self(content)
    }

    /// The bytes themselves.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_newline_is_removed_and_nothing_is_printed() {
        let secret = Secret::from_file_content(b"hush \n\n".to_vec());
        assert_eq!(secret.expose(), b"hush \n");
        assert_eq!(format!("{secret:?}"), "[secret]");
    }
}
