//! The contract in `docs/schemas/` is what the code writes, publishes and answers.

mod event;
mod function;
mod record;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::{Value, json};

const SCHEMAS: [(&str, &str); 7] = [
    ("change", include_str!("../../docs/schemas/change.json")),
    ("component_token", include_str!("../../docs/schemas/component_token.json")),
    ("launch", include_str!("../../docs/schemas/launch.json")),
    ("message", include_str!("../../docs/schemas/message.json")),
    ("push", include_str!("../../docs/schemas/push.json")),
    ("record", include_str!("../../docs/schemas/record.json")),
    ("token", include_str!("../../docs/schemas/token.json")),
];

fn document(name: &str) -> Value {
    let found = SCHEMAS.iter().find(|(schema, _)| *schema == name);
    serde_json::from_str(found.expect("a schema").1).expect("a schema is JSON")
}

/// Every schema by its name, and each of its definitions, as `token/answer`.
static COMPILED: LazyLock<(Schemas, BTreeMap<String, SchemaIndex>)> = LazyLock::new(|| {
    let (mut schemas, mut compiler, mut indexes) = (Schemas::new(), Compiler::new(), BTreeMap::new());
    // Looks into the text that holds JSON.
    compiler.enable_content_assertions();
    for (name, _) in SCHEMAS {
        let (schema, location) = (document(name), format!("https://localhost/{name}.json"));
        compiler.add_resource(&location, schema.clone()).expect("a location");
        let definitions = schema["$defs"].as_object().into_iter().flatten().map(|(definition, _)| {
            (format!("{name}/{definition}"), format!("{location}#/$defs/{definition}"))
        });
        for (name, location) in definitions.chain([(name.to_owned(), location.clone())]) {
            let index = compiler.compile(&location, &mut schemas);
            indexes.insert(name, index.unwrap_or_else(|error| panic!("{error}")));
        }
    }
    (schemas, indexes)
});

/// What `schema` has against `value`.
fn validate(schema: &str, value: &Value) -> Result<(), String> {
    let (schemas, indexes) = &*COMPILED;
    let index = *indexes.get(schema).unwrap_or_else(|| panic!("no schema {schema}"));
    schemas.validate(value, index).map_err(|error| format!("{error:#}"))
}

/// Checks that `value` is as `schema` says, and that it would not be with a field that nobody documents, or with any of its
/// fields being something else.
#[track_caller]
fn check(schema: &str, value: &Value) {
    if let Err(error) = validate(schema, value) {
        panic!("{error}\n{value:#}");
    }
    let mut more = value.clone();
    more["undocumented"] = json!("x");
    check_refused(schema, &more);
    for name in value.as_object().expect("an object").keys() {
        let mut other = value.clone();
        other[name] = json!([{"undocumented": null}]);
        check_refused(schema, &other);
    }
}

#[track_caller]
fn check_refused(schema: &str, value: &Value) {
    assert!(validate(schema, value).is_err(), "{schema} accepts {value:#}");
}

/// Every schema below `schema` with a `properties`, and where it stands.
fn objects<'a>(schema: &'a Value, at: String, found: &mut Vec<(String, &'a Value)>) {
    match schema {
        Value::Object(fields) => {
            for (name, value) in fields {
                objects(value, format!("{at}/{name}"), found);
            }
            if schema["properties"].is_object() {
                found.push((at, schema));
            }
        }
        Value::Array(values) => {
            values.iter().for_each(|value| objects(value, at.clone(), found));
        }
        _ => {}
    }
}

#[test]
fn each_field_is_described_and_says_when_it_is_absent() {
    for (name, _) in SCHEMAS {
        let schema = document(name);
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        let mut found = Vec::new();
        objects(&schema, name.to_owned(), &mut found);
        let conditions = ["/if", "/then", "/else"];
        found.retain(|(at, _)| !conditions.iter().any(|condition| at.ends_with(condition)));
        assert!(!found.is_empty(), "{name}");
        for (at, object) in found {
            for (field, schema) in object["properties"].as_object().expect("properties") {
                let is_required =
                    object["required"].as_array().is_some_and(|names| names.contains(&json!(field)));
                let description = schema["description"].as_str().unwrap_or_default().to_lowercase();
                let is_said = !description.is_empty() && (is_required || description.contains("absent"));
                // False is a field that is never there.
                assert!(is_said || *schema == json!(false), "{at}: {field}");
            }
        }
    }
}

#[test]
fn each_example_of_the_manual_is_as_its_schema_says() {
    const EXEMPLIFIED: [&str; 11] = [
        "change",
        "component_token/answer",
        "component_token/request",
        "launch/ask",
        "launch/begin",
        "launch/begun",
        "launch/outcome",
        "message",
        "push",
        "token/answer",
        "token/request",
    ];
    let manual = include_str!("../../docs/consumers.md");
    let examples = manual.split("```json\n").skip(1).filter_map(|rest| rest.split("```").next());
    let mut seen = BTreeSet::new();
    for example in examples {
        let value: Value = serde_json::from_str(example).expect("an example is JSON");
        let fitting: Vec<&str> =
            EXEMPLIFIED.into_iter().filter(|schema| validate(schema, &value).is_ok()).collect();
        assert_eq!(fitting.len(), 1, "{fitting:?} accept {example}");
        seen.extend(fitting);
    }
    assert_eq!(seen, EXEMPLIFIED.into_iter().collect());
}

#[test]
fn each_schema_has_its_place_in_the_manual() {
    let manual = include_str!("../../docs/consumers.md");
    for (name, _) in SCHEMAS {
        assert!(manual.contains(&format!("](schemas/{name}.json)")), "{name}");
    }
}
