//! Foreign text made fit for a log line.

/// `text` fit for a log line: bounded, in one line, and without anything that could be a token.
pub(crate) fn masked(text: &str) -> String {
    /// Longer than any word of WeChat's messages or an appid, shorter than any secret.
    const LONGEST_WORD: usize = 19;
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '@' | '+' | '/' | '=');
    // A word that the end cuts may be the beginning of a secret, and short enough to look like none.
    let text = match text.char_indices().nth(300) {
        Some((end, next)) if is_word(next) => text[..end].trim_end_matches(is_word),
        Some((end, _)) => &text[..end],
        None => text,
    };
    let mut line = String::new();
    let mut word = String::new();
    for c in text.chars().chain(['\n']) {
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
