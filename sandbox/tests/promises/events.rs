//! The event files are what API Gateway sends.

use std::path::Path;

use sandbox::{Sandbox, template};
use serde_json::{Map, Value};

#[tokio::test]
async fn every_event_file_agrees_with_itself_and_is_answered() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../events");
    let mut count = 0;
    for entry in folder.read_dir().expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let event: Value = serde_json::from_slice(&std::fs::read(&path).expect("a file")).expect("JSON");
        assert_consistent(&name, &event);
        if name.starts_with("callback") {
            let answer = Sandbox::start().await.callback().invoke(event).await;
            assert_eq!(answer.error, None, "{name}");
        }
        count += 1;
    }
    assert!(count > 0);
}

/// What API Gateway says twice must be said alike.
fn assert_consistent(name: &str, event: &Value) {
    let query = event["rawQueryString"].as_str().expect("a query");
    let parameters: Map<String, Value> = form_urlencoded::parse(query.as_bytes())
        .map(|(name, value)| (name.into_owned(), value.into_owned().into()))
        .collect();
    let said = event["queryStringParameters"].as_object().cloned().unwrap_or_default();
    assert_eq!(said, parameters, "{name}");
    let http = &event["requestContext"]["http"];
    assert_eq!(event["rawPath"], http["path"], "{name}");
    assert_eq!(event["headers"]["user-agent"], http["userAgent"], "{name}");
    assert_eq!(event["headers"]["host"], event["requestContext"]["domainName"], "{name}");
    assert_eq!(event["routeKey"], event["requestContext"]["routeKey"], "{name}");
    let function = name.split('-').next().unwrap_or_default();
    let route = (http["method"].as_str().expect("a method"), http["path"].as_str().expect("a path"));
    let resource = format!("{}{}Function", function[..1].to_uppercase(), &function[1..]);
    let routes = template::routes(&resource);
    assert!(routes.iter().any(|(method, path)| (method.as_str(), path.as_str()) == route), "{name}");
}
