//! What the platform's services hear of a push.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::id::sha256_hex;
use crate::wechat::{Appid, InfoType, Message};

/// A push as it waits to be published.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// What WeChat repeats when it sends the same push again; names the entry.
    pub digest: String,
    /// `push.<InfoType>` or `message.<MsgType>`.
    pub detail_type: String,
    /// The account that the push is about, where it is known.
    pub authorizer_appid: Option<Appid>,
    /// The fields as JSON. Personal data.
    pub fields: Fields,
    /// The names of the fields that did not fit, separated by blanks.
    pub overflow: String,
}

/// The fields of a push, as JSON. `Debug` does not show them.
#[derive(Clone)]
pub(crate) struct Fields(String);

/// The longest JSON of fields. An event on the bus has 256 KiB, and there JSON in JSON may be twice as long, with a
/// character in six bytes.
const LONGEST: usize = 40 * 1024;

/// The names that an overflow lists.
const MOST_NAMES: usize = 32;

impl Entry {
    /// For how long an entry is kept, and for how long a repeated push is known: messages are personal data.
    pub(crate) const LIFE: Duration = Duration::from_hours(24);

    /// The entry of a push to the authorization event URL.
    pub(crate) fn of_push(info_type: &InfoType, message: &Message) -> Self {
        /// Where the different pushes name the account.
        const NAMES: [&str; 4] = ["AuthorizerAppid", "authorizer_appid", "appid", "verify_appid"];
        let authorizer_appid = NAMES.iter().find_map(|name| Appid::parse(message.text(name)?));
        Self::new(format!("push.{}", info_type.as_str()), authorizer_appid, message)
    }

    /// The entry of a message or an event of an account's users. `authorizer_appid` is none if only the address could
    /// tell it and did not.
    pub(crate) fn of_message(
        msg_type: &InfoType,
        authorizer_appid: Option<&Appid>,
        message: &Message,
    ) -> Self {
        Self::new(format!("message.{}", msg_type.as_str()), authorizer_appid.cloned(), message)
    }

    fn new(detail_type: String, authorizer_appid: Option<Appid>, message: &Message) -> Self {
        let fields = message.published();
        // WeChat sends a message again with its MsgId, and an event with all that it says.
        let repeated = match message.text("MsgId") {
            Some(id) => format!("{detail_type} {} {id}", message.text("ToUserName").unwrap_or_default()),
            None => format!("{detail_type} {}", Value::Object(fields.clone())),
        };
        let (fields, overflow) = bounded(fields);
        Self {
            digest: sha256_hex(&repeated),
            detail_type,
            authorizer_appid,
            fields: Fields(fields),
            overflow,
        }
    }
}

impl Fields {
    /// The JSON, to be stored.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Fields {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Fields(..)")
    }
}

/// The fields as JSON of at most [`LONGEST`] bytes, and the names of those that were left out for that: the longest.
fn bounded(mut fields: Map<String, Value>) -> (String, String) {
    let json = Value::Object(fields.clone()).to_string();
    if json.len() <= LONGEST {
        return (json, String::new());
    }
    let length = |(name, value): (&String, &Value)| (name.len() + value.to_string().len() + 8, name.clone());
    let mut by_length: Vec<_> = fields.iter().map(length).collect();
    by_length.sort_unstable();
    let mut total: usize = by_length.iter().map(|(length, _)| length).sum();
    let mut left_out = Vec::new();
    while total > LONGEST
        && let Some((length, name)) = by_length.pop()
    {
        total -= length;
        fields.remove(&name);
        left_out.push(InfoType::new(&name).as_str().to_owned());
    }
    left_out.truncate(MOST_NAMES);
    (Value::Object(fields).to_string(), left_out.join(" "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check_bounded(fields: Value, kept: &[&str], overflow: &str) {
        let (json, left_out) = bounded(fields.as_object().expect("an object").clone());
        let read: Map<String, Value> = serde_json::from_str(&json).expect("JSON");
        assert_eq!(read.keys().collect::<Vec<_>>(), kept);
        assert!(json.len() <= LONGEST);
        assert_eq!(left_out, overflow);
    }

    #[test]
    fn the_longest_fields_are_left_out_and_named() {
        check_bounded(json!({"a": "1", "b": "2"}), &["a", "b"], "");
        check_bounded(json!({"a": "x".repeat(LONGEST), "b": "2"}), &["b"], "a");
        let (half, list) = ("\"".repeat(LONGEST / 5), vec!["y"; LONGEST / 6]);
        check_bounded(json!({"a": half, "b": "2", "list": list}), &["a", "b"], "list");
    }

    #[test]
    fn many_short_fields_are_bounded_too() {
        let fields: Map<String, Value> = (0..20_000).map(|n| (format!("f{n}"), json!("x"))).collect();
        let (json, left_out) = bounded(fields);
        assert!(json.len() <= LONGEST && left_out.split(' ').count() == MOST_NAMES);
    }
}
