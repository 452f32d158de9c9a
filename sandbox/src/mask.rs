//! Secrets, shortened so that they can be told apart but not used.

/// How many characters of a value stay, beside a prefix such as `ticket@@@`.
const SHOWN: usize = 4;

/// Replaces every known secret in a text.
pub(crate) struct Mask(Vec<String>);

impl Mask {
    pub(crate) fn new(mut secrets: Vec<String>) -> Self {
        // A secret that contains another one goes first.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self(secrets)
    }

    pub(crate) fn apply(&self, text: &str) -> String {
        let mut masked = text.to_owned();
        for secret in &self.0 {
            if masked.contains(secret.as_str()) {
                masked = masked.replace(secret.as_str(), &shortened(secret));
            }
        }
        masked
    }
}

fn shortened(secret: &str) -> String {
    let prefix = secret.rfind('@').map_or(0, |at| at + 1);
    let shown = secret.len().min(prefix + SHOWN);
    format!("{}…", &secret[..shown])
}
