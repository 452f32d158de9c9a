//! What EventBridge Pipes makes of the tables' streams, with the filter, the detail-type and the input template that
//! `template.yaml` gives to each pipe.

use serde_json::{Value, json};

use crate::template;

/// One pipe, from a table's stream to the bus.
pub struct Pipe {
    pattern: Value,
    source: String,
    detail_type: String,
    input_template: String,
}

impl Pipe {
    /// A pipe of the template, as `ChangesPipe`.
    pub fn of(resource: &str) -> Self {
        let properties = template::properties(resource);
        let text = |value: &Value| value.as_str().expect("the pipe's property is a text").to_owned();
        let filters = &properties["SourceParameters"]["FilterCriteria"]["Filters"];
        assert_eq!(filters.as_array().map(Vec::len), Some(1), "{resource} has one filter");
        let pattern = text(&filters[0]["Pattern"]);
        let target = &properties["TargetParameters"];
        let bus = &target["EventBridgeEventBusParameters"];
        Self {
            pattern: serde_json::from_str(&pattern).expect("a pattern is JSON"),
            source: text(&bus["Source"]),
            detail_type: text(&bus["DetailType"]),
            input_template: text(&target["InputTemplate"]),
        }
    }

    /// The event that a record of the stream becomes; none if the filter does not let it pass.
    pub fn event(&self, record: &Value) -> Option<Value> {
        matches(&self.pattern, record).then(|| {
            let detail = self.detail(record);
            let detail: Value = serde_json::from_str(&detail).expect("the input template makes JSON");
            json!({"source": self.source, "detail-type": at(record, &self.detail_type), "detail": detail})
        })
    }

    fn detail(&self, record: &Value) -> String {
        let mut rest = self.input_template.as_str();
        let mut detail = String::new();
        while let Some((before, (path, after))) =
            rest.split_once('<').and_then(|(before, rest)| Some((before, rest.split_once('>')?)))
        {
            detail.push_str(before);
            let value = at(record, path);
            // Within quotation marks the pipe inserts a text as it is, elsewhere as JSON.
            match value.as_str().filter(|_| before.ends_with('"')) {
                Some(text) => detail.push_str(text),
                None => detail.push_str(&value.to_string()),
            }
            rest = after;
        }
        detail + rest
    }
}

/// What a path as `$.dynamodb.NewImage.version.N` leads to.
fn at<'a>(record: &'a Value, path: &str) -> &'a Value {
    let names = path.strip_prefix("$.").expect("a path begins at the record").split('.');
    let value = names.fold(record, |value, name| &value[name]);
    assert!(!value.is_null(), "the record has nothing at {path}");
    value
}

/// Whether a record has what an event pattern asks for: one of the values of each list. Other comparisons than equality are
/// not known here.
fn matches(pattern: &Value, record: &Value) -> bool {
    match pattern {
        Value::Object(fields) => fields.iter().all(|(name, pattern)| matches(pattern, &record[name])),
        Value::Array(values) => {
            assert!(
                values.iter().all(Value::is_string),
                "a comparison that the sandbox does not know: {pattern}"
            );
            values.contains(record)
        }
        _ => panic!("no event pattern: {pattern}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pipe(pattern: Value) -> Pipe {
        Pipe {
            pattern,
            source: "here".to_owned(),
            detail_type: "$.new.kind.S".to_owned(),
            input_template: r#"{"kind":"<$.new.kind.S>","text":<$.new.text.S>,"n":<$.new.n>}"#.to_owned(),
        }
    }

    #[test]
    fn a_text_without_quotation_marks_is_escaped_and_one_within_is_not() {
        let record = json!({"name": "INSERT", "new": {"kind": {"S": "a.b"}, "text": {"S": "{\"x\": \"<$.y>\\n\"}\n"}, "n": 7}});
        let event = pipe(json!({"name": ["INSERT", "MODIFY"]})).event(&record).expect("an event");
        let detail = json!({"kind": "a.b", "text": record["new"]["text"]["S"], "n": 7});
        assert_eq!(event, json!({"source": "here", "detail-type": "a.b", "detail": detail}));
    }

    #[test]
    fn what_the_filter_does_not_name_is_no_event() {
        let record = json!({"name": "REMOVE"});
        assert_eq!(pipe(json!({"name": ["INSERT", "MODIFY"]})).event(&record), None);
        assert_eq!(pipe(json!({"new": {"kind": {"S": ["a"]}}})).event(&record), None);
    }
}
