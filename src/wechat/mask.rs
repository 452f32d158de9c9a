//! Foreign text made fit for a log line.

/// `text` fit for a log line: bounded, in one line, and without anything that could be a token.
pub(crate) fn masked(text: &str) -> String {
    /// Longer than any word of WeChat's messages or an appid, shorter than any secret.
    const LONGEST_WORD: usize = 19;
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '@' | '+' | '/' | '=');
    let mut line = String::new();
    let mut word = String::new();
    for c in text.chars().take(300).chain(['\n']) {
        if is_word(c) {
            word.push(c);
            continue;
        }
        let secret = word.len() > LONGEST_WORD || word.contains("@@@");
        line.push_str(if secret { "***" } else { &word });
        word.clear();
        line.push(if c.is_control() { ' ' } else { c });
    }
    line.truncate(line.trim_end().len());
    line
}
