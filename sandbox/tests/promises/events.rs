//! The event files are what API Gateway sends.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use futures_util::{StreamExt, stream};
use sandbox::event_file::{EventFile, Outcome};
use sandbox::template;
use serde_json::{Map, Value};

/// Every file: the status of the answer, with that of the address to which it redirects, or `ok` or the type of the error, and a phrase of the body.
const ANSWERS: &[(&str, &str, &str)] = &[
    ("authorize.json", "200", "也可以用手机微信扫一扫"),
    ("authorize-head.json", "200", ""),
    ("authorize-in-wechat.json", "200", "前往微信授权"),
    ("authorize-launch.json", "200", "也可以用手机微信扫一扫"),
    ("authorize-malformed-state.json", "400", "链接无效"),
    ("authorize-outside-wechat.json", "200", "长按下面的链接"),
    ("authorize-prefetch.json", "204", ""),
    ("callback.json", "303 200", "沙箱咖啡馆"),
    ("callback-busy.json", "202", "正在完成授权"),
    ("callback-empty-code.json", "400", "链接无效"),
    ("callback-english.json", "303 200", "Authorization complete"),
    ("callback-expired-code.json", "410", "本次授权已失效"),
    ("callback-head.json", "200", ""),
    ("callback-literal-at.json", "303 200", "沙箱咖啡馆"),
    ("callback-long-code.json", "400", "链接无效"),
    ("callback-malformed-code.json", "400", "链接无效"),
    ("callback-mini-program.json", "303 200", "沙箱小店"),
    ("callback-no-code.json", "400", "链接无效"),
    ("callback-pre-auth-code.json", "400", "链接无效"),
    ("callback-prefetch.json", "204", ""),
    ("callback-unknown-code.json", "400", "链接无效"),
    ("callback-with-launch.json", "303 200", "沙箱咖啡馆"),
    ("component_token.json", "ok", "\"component_access_token_expires_at\":"),
    ("component_token-rejected.json", "ok", "\"component_access_token\":"),
    ("doctor.json", "ok", "\"ok\":true}"),
    ("events-authorized.json", "200", "success"),
    ("events-bad-signature.json", "403", ""),
    ("events-base64-body.json", "200", "success"),
    ("events-fast-registration.json", "200", "success"),
    ("events-not-xml.json", "400", ""),
    ("events-previous-key.json", "200", "success"),
    ("events-ticket.json", "200", "success"),
    ("events-unauthorized.json", "200", "success"),
    ("events-unknown-type.json", "200", "success"),
    ("events-updateauthorized.json", "200", "success"),
    ("launch.json", "ok", "https://platform.example.com/authorize?launch="),
    ("launch-outcome.json", "ok", "\"state\":\"customer-4711\",\"status\":\"open\""),
    ("messages-bad-signature.json", "403", ""),
    ("messages-text.json", "200", "success"),
    ("reconcile.json", "ok", "\"restored\":1"),
    ("reconcile-dry-run.json", "ok", "\"restored\":1"),
    ("refresh.json", "ok", "\"refreshed\":1"),
    ("token.json", "ok", "sandbox-official-account-5a4db0cacce55"),
    ("token-rejected.json", "ok", "authorizer_access_token"),
    ("token-unknown-account.json", "AuthorizerNotFound", "no authorization of this account is known"),
];

#[tokio::test]
async fn every_event_file_is_answered_by_its_function() {
    let names: BTreeSet<_> = ANSWERS.iter().map(|(name, ..)| (*name).to_owned()).collect();
    let entries = folder().read_dir().expect("a folder").map(|entry| entry.expect("an entry").file_name());
    let files: BTreeSet<_> = entries.map(|name| name.to_string_lossy().into_owned()).collect();
    assert_eq!(files, names);
    // A few at a time: most of the time is the waiting of `callback-busy.json`.
    let checks = ANSWERS.iter().map(|(name, expected, phrase)| check(name, expected, phrase));
    stream::iter(checks).buffer_unordered(4).collect::<()>().await;
}

async fn check(name: &str, expected: &str, phrase: &str) {
    let file = EventFile::read(&folder().join(name)).expect("an event file");
    if file.event.get("requestContext").is_some() {
        assert_consistent(name, &file);
    }
    let (outcome, body) = match file.run(&file.sandbox().await).await {
        Outcome::Http(answers) => {
            assert!(answers.iter().all(|answer| answer.error.is_none()), "{name}: {answers:?}");
            let statuses: Vec<String> = answers.iter().map(|answer| answer.status.to_string()).collect();
            (statuses.join(" "), answers.into_iter().next_back().expect("an answer").body)
        }
        Outcome::Json(Ok(answer)) => ("ok".to_owned(), answer.to_string()),
        Outcome::Json(Err(error)) => (error.error_type, error.error_message),
    };
    assert_eq!(outcome, expected, "{name}");
    assert!(body.contains(phrase), "{name}: no {phrase}");
    assert_eq!(body.is_empty(), phrase.is_empty(), "{name}");
}

#[tokio::test]
async fn the_pushes_among_them_reach_the_tables() {
    for (name, appid, status) in [
        ("events-authorized.json", "wx5a4db0c0ffee0001", "authorized"),
        ("events-updateauthorized.json", "wx5a4db0c0ffee0001", "authorized"),
        ("events-fast-registration.json", "wx5a4db0c5709e0002", "authorized"),
        ("events-unauthorized.json", "wx5a4db0c0ffee0001", "unauthorized"),
    ] {
        let file = EventFile::read(&folder().join(name)).expect("an event file");
        let sandbox = file.sandbox().await;
        file.run(&sandbox).await;
        let record = sandbox.dynamodb.authorizer(appid).await.expect(name);
        assert_eq!(record["status"], status, "{name}");
    }
    for name in ["events-ticket.json", "events-base64-body.json", "events-previous-key.json"] {
        let file = EventFile::read(&folder().join(name)).expect("an event file");
        let sandbox = file.sandbox().await;
        file.run(&sandbox).await;
        let tickets = sandbox.dynamodb.platform_items("ticket#").await;
        assert_eq!(tickets[0]["component_verify_ticket"], "ticket@@@sandbox-5a4db0c71c4e7", "{name}");
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../events")
}

/// What API Gateway says twice must be said alike.
fn assert_consistent(name: &str, file: &EventFile) {
    let event = &file.event;
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
    let function = &file.function;
    let routes = template::routes(&template::function(function));
    assert!(routes.iter().any(|(method, path)| event["routeKey"] == format!("{method} {path}")), "{name}");
}
