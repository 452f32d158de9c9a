//! DynamoDB's typed JSON and plain JSON.

use serde_json::{Map, Value, json};

/// `{"N": "1"}` → `1`. Sets become sorted arrays.
pub(super) fn to_plain(attribute: &Value) -> Value {
    let (kind, value) =
        attribute.as_object().and_then(|typed| typed.iter().next()).expect("a typed attribute");
    match kind.as_str() {
        "N" => number(value),
        "NS" => {
            let mut numbers: Vec<_> = value.as_array().into_iter().flatten().map(number).collect();
            numbers.sort_by_key(|number| number.as_i64());
            numbers.into()
        }
        "L" => value.as_array().into_iter().flatten().map(to_plain).collect(),
        "M" => {
            let entries = value.as_object().into_iter().flatten();
            entries.map(|(name, value)| (name.clone(), to_plain(value))).collect::<Map<_, _>>().into()
        }
        "NULL" => Value::Null,
        _ => value.clone(),
    }
}

/// `1` → `{"N": "1"}`.
pub(super) fn from_plain(value: &Value) -> Value {
    match value {
        Value::Null => json!({"NULL": true}),
        Value::Bool(boolean) => json!({"BOOL": boolean}),
        Value::Number(number) => json!({"N": number.to_string()}),
        Value::String(text) => json!({"S": text}),
        Value::Array(elements) => json!({"L": elements.iter().map(from_plain).collect::<Vec<_>>()}),
        Value::Object(entries) => {
            let entries = entries.iter().map(|(name, value)| (name.clone(), from_plain(value)));
            json!({"M": entries.collect::<Map<_, _>>()})
        }
    }
}

fn number(text: &Value) -> Value {
    serde_json::from_str(text.as_str().unwrap_or_default()).expect("DynamoDB's numbers are JSON numbers")
}
