//! The deployed stack as `template.yaml` describes it: the sandbox's tables and limits are the real ones.

use std::sync::LazyLock;
use std::time::Duration;

use serde_json::{Value, json};
use yaml_rust2::{Yaml, YamlLoader};

const TEMPLATE: &str = include_str!("../../template.yaml");

/// A table's definition as the body of a `CreateTable` request.
pub fn create_table(resource: &str, table_name: &str) -> Value {
    let mut properties = properties(resource);
    let mut stream = properties["StreamSpecification"].take();
    if let Some(stream) = stream.as_object_mut() {
        // CloudFormation takes it for granted.
        stream.insert("StreamEnabled".to_owned(), json!(true));
    }
    json!({
        "TableName": table_name,
        "BillingMode": properties["BillingMode"].take(),
        "AttributeDefinitions": properties["AttributeDefinitions"].take(),
        "KeySchema": properties["KeySchema"].take(),
        "GlobalSecondaryIndexes": properties["GlobalSecondaryIndexes"].take(),
        "StreamSpecification": stream,
    })
}

/// A table's expiry as the body of an `UpdateTimeToLive` request.
pub fn update_time_to_live(resource: &str, table_name: &str) -> Option<Value> {
    let specification = properties(resource)["TimeToLiveSpecification"].take();
    let request = json!({"TableName": table_name, "TimeToLiveSpecification": &specification});
    (!specification.is_null()).then_some(request)
}

/// A table's backups as the body of an `UpdateContinuousBackups` request.
pub fn update_continuous_backups(resource: &str, table_name: &str) -> Option<Value> {
    let specification = properties(resource)["PointInTimeRecoverySpecification"].take();
    let request = json!({"TableName": table_name, "PointInTimeRecoverySpecification": &specification});
    (!specification.is_null()).then_some(request)
}

/// The pages, which are modules of one function.
pub const PAGES: [&str; 2] = ["authorize", "callback"];

/// The name in the template of a function, or of the one that a page is in: `token` is `TokenFunction`.
pub fn function(name: &str) -> String {
    let name = if PAGES.contains(&name) { "visits" } else { name };
    let capitalized = |word: &str| {
        let (first, rest) = word.split_at(word.len().min(1));
        format!("{}{rest}", first.to_ascii_uppercase())
    };
    let words: String = name.split('_').map(capitalized).collect();
    format!("{words}Function")
}

/// How long an invocation of a function may take.
pub fn timeout(function: &str) -> Duration {
    let seconds = properties(function)["Timeout"].as_u64();
    Duration::from_secs(seconds.expect("the template gives every function a timeout"))
}

/// The routes that lead to a function: method and path. Without the digits of the stack's id: there is no stack here.
pub fn routes(function: &str) -> Vec<(String, String)> {
    let target = format!("integrations/${{{}Integration}}", function.trim_end_matches("Function"));
    let resources = resources().as_hash().expect("resources");
    let routes =
        resources.values().filter(|resource| resource["Type"].as_str() == Some("AWS::ApiGatewayV2::Route"));
    let routes = routes.map(|resource| &resource["Properties"]);
    routes
        .filter(|route| route["Target"].as_str() == Some(&target))
        .map(|route| {
            let key = &route["RouteKey"];
            let key = key
                .as_str()
                .or_else(|| key[0].as_str())
                .expect("a route has a key")
                .replace("/${Digits}", "");
            let (method, path) = key.split_once(' ').expect("a method and a path");
            (method.to_owned(), path.to_owned())
        })
        .collect()
}

fn resources() -> &'static Yaml {
    // Reading all of it takes longer than everything else that a sandbox does at its start.
    static DOCUMENTS: LazyLock<Vec<Yaml>> =
        LazyLock::new(|| YamlLoader::load_from_str(TEMPLATE).expect("the template is YAML"));
    &DOCUMENTS[0]["Resources"]
}

pub(crate) fn properties(resource: &str) -> Value {
    let properties = &resources()[resource]["Properties"];
    assert!(!properties.is_badvalue(), "the template has no resource {resource}");
    to_json(properties)
}

/// CloudFormation's functions become their argument; nothing that is read here uses one.
fn to_json(yaml: &Yaml) -> Value {
    match yaml {
        Yaml::String(text) | Yaml::Real(text) => json!(text),
        Yaml::Integer(number) => json!(number),
        Yaml::Boolean(boolean) => json!(boolean),
        Yaml::Array(elements) => elements.iter().map(to_json).collect(),
        Yaml::Hash(entries) => {
            let entry = |(key, value): (&Yaml, &Yaml)| Some((key.as_str()?.to_owned(), to_json(value)));
            Value::Object(entries.iter().filter_map(entry).collect())
        }
        Yaml::Alias(_) | Yaml::Null | Yaml::BadValue => Value::Null,
    }
}
