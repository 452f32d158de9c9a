//! One event file through its function.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{ErrorKind, Write};
use std::path::Path;

use sandbox::event_file::{EventFile, Outcome};
use sandbox::{Answer, Sandbox};
use serde_json::Value;

use crate::mask::Mask;

/// Runs the event in a fresh sandbox and prints the answer and what changed in the tables.
pub(crate) async fn run(file: &Path) -> Result<(), Box<dyn Error>> {
    let file = EventFile::read(file)?;
    let sandbox = file.sandbox().await;
    // What prepared the sandbox is not what there is to see.
    wechat_authorizer::log::init(None, None);
    let before = Tables::read(&sandbox).await;
    let outcome = match file.run(&sandbox).await {
        Outcome::Http(answers) => {
            answers.iter().map(shown).collect::<Vec<_>>().join("\n\nThe browser goes there:\n\n")
        }
        Outcome::Json(Ok(answer)) => format!("{answer:#}"),
        Outcome::Json(Err(error)) => format!("error: {error}"),
    };
    let mask = Mask::new(sandbox.wechat.secrets());
    let mut text = format!("\n{outcome}\n");
    for line in Tables::read(&sandbox).await.changes_since(&before) {
        text.push_str(&line);
        text.push('\n');
    }
    match std::io::stdout().write_all(mask.apply(&text).as_bytes()) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

fn shown(answer: &Answer) -> String {
    let mut lines = vec![format!("status {}", answer.status)];
    lines.extend(answer.error.iter().map(|error| format!("error: {error}")));
    lines.extend(answer.headers.iter().map(|(name, value)| format!("{name}: {value}")));
    lines.extend(answer.cookies.iter().map(|cookie| format!("set-cookie: {cookie}")));
    lines.push(String::new());
    let html = answer.header("content-type").starts_with("text/html");
    let body = if html { text_of(&answer.body) } else { answer.body.clone() };
    lines.extend(body.lines().map(|line| format!("  {line}")));
    lines.join("\n")
}

/// What a page says, one line for each line of text.
fn text_of(html: &str) -> String {
    let mut text = String::new();
    for part in html.split('<').skip(1) {
        let (tag, content) = part.split_once('>').unwrap_or((part, ""));
        // The style sheet is not for readers, and the title says what the heading says.
        let content = if tag.starts_with("style") || tag == "title" { "" } else { content.trim() };
        if !content.is_empty() {
            text.push_str(content);
            text.push('\n');
        }
    }
    for (entity, character) in
        [("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&#38;", "&")]
    {
        text = text.replace(entity, character);
    }
    text
}

/// All items by table and key.
struct Tables(BTreeMap<String, Value>);

impl Tables {
    async fn read(sandbox: &Sandbox) -> Self {
        let record = |record: Value| (format!("Authorizers {}", text(&record["authorizer_appid"])), record);
        let item = |item: Value| (format!("Platform {}", text(&item["pk"])), item);
        let authorizers = sandbox.dynamodb.authorizers().await.into_iter().map(record);
        let platform = sandbox.dynamodb.platform().await.into_iter().map(item);
        Self(authorizers.chain(platform).collect())
    }

    fn changes_since(&self, before: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        for (key, item) in self.0.iter().filter(|(key, item)| before.0.get(*key) != Some(*item)) {
            let old = before.0.get(key);
            lines.push(format!("\n{} {key}", if old.is_none() { "new in" } else { "changed in" }));
            let attributes = item.as_object().into_iter().flatten();
            let changed = attributes.filter(|(name, value)| old.is_none_or(|old| old[*name] != **value));
            lines.extend(changed.map(|(name, value)| format!("  {name}: {value}")));
        }
        let gone = before.0.keys().filter(|key| !self.0.contains_key(*key));
        lines.extend(gone.map(|key| format!("\ngone from {key}")));
        if lines.is_empty() {
            lines.push("\nnothing changed in the tables".to_owned());
        }
        lines
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
