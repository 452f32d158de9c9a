//! One event file through its function.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use sandbox::{Answer, Instance, Sandbox};
use serde_json::Value;

use crate::mask::Mask;

/// Runs the event in a fresh sandbox and prints the answer and what changed in the tables.
pub(crate) async fn run(file: &str) -> Result<(), Box<dyn Error>> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    let event: Value = serde_json::from_str(&text).map_err(|error| format!("{file} is not JSON: {error}"))?;
    wechat_authorizer::log::init(None, None);
    let sandbox = Sandbox::start().await;
    let instance = function(&sandbox, file)?;
    let before = Tables::read(&sandbox).await;
    let answer = instance.invoke(event).await;
    let mask = Mask::new(sandbox.wechat.secrets());
    println!("\n{}", shown(&answer));
    for line in Tables::read(&sandbox).await.changes_since(&before) {
        println!("{}", mask.apply(&line));
    }
    Ok(())
}

/// The file's name starts with the function's: `callback.json`, `callback-no-code.json`.
fn function(sandbox: &Sandbox, file: &str) -> Result<Instance, String> {
    let name = Path::new(file).file_stem().and_then(|name| name.to_str()).unwrap_or_default();
    match name.split('-').next().unwrap_or_default() {
        "authorize" => Ok(sandbox.authorize()),
        "callback" => Ok(sandbox.callback()),
        "events" => Ok(sandbox.events()),
        _ => Err(format!(
            "{file}: the name must start with the name of a function, as callback-no-code.json does"
        )),
    }
}

fn shown(answer: &Answer) -> String {
    let mut lines = vec![format!("status {}", answer.status)];
    lines.extend(answer.error.iter().map(|error| format!("error: {error}")));
    lines.extend(answer.headers.iter().map(|(name, value)| format!("{name}: {value}")));
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
