//! What services ask the functions, and what they are answered.

use std::collections::BTreeSet;

use sandbox::{Fault, InvocationError, JsonInstance};
use serde_json::{Value, json};

use super::{check, check_refused, document, validate};
use crate::scene::Scene;

/// One function's answers so far: their error types.
struct Asked {
    function: JsonInstance,
    name: &'static str,
    error_types: BTreeSet<String>,
}

impl Asked {
    fn new(name: &'static str, function: JsonInstance) -> Self {
        Self { function, name, error_types: BTreeSet::new() }
    }

    /// Asks with `request`, which has the definition `as_request`, and checks the answer against the definition `as_answer`.
    async fn answer(&mut self, as_request: &str, request: Value, as_answer: &str) -> Value {
        assert_eq!(validate(&format!("{}/{as_request}", self.name), &request), Ok(()));
        let answer = self.function.run(request).await.expect("an answer");
        check(&format!("{}/{as_answer}", self.name), &answer);
        answer
    }

    /// Asks with `request`, which is refused, and checks the error. The schema refuses what the function calls invalid.
    async fn error(&mut self, as_request: &str, request: Value, expected: &str) {
        let error = self.function.run(request.clone()).await.expect_err("an error");
        let InvocationError { error_type, error_message } = error;
        check(
            &format!("{}/error", self.name),
            &json!({"errorType": error_type, "errorMessage": error_message}),
        );
        assert_eq!(error_type, expected);
        let is_valid = validate(&format!("{}/{as_request}", self.name), &request).is_ok();
        assert_eq!(is_valid, error_type != "InvalidRequest", "{request}");
        self.error_types.insert(error_type);
    }

    /// Checks that each documented error was seen.
    #[track_caller]
    fn check_all_errors_seen(&self) {
        let schema = document(self.name);
        let documented = schema["$defs"]["error"]["properties"]["errorType"]["oneOf"].as_array();
        let documented = documented.expect("a list").iter().filter_map(|error| error["const"].as_str());
        assert_eq!(
            self.error_types.iter().map(String::as_str).collect::<BTreeSet<_>>(),
            documented.collect()
        );
        check_refused(&format!("{}/error", self.name), &json!({"errorType": "Else", "errorMessage": ""}));
    }
}

#[tokio::test]
async fn token_answers_as_its_schema_says() {
    let scene = Scene::new().await;
    let mut token = Asked::new("token", scene.token());
    let request = json!({"authorizer_appid": scene.appid});
    token.error("request", request.clone(), "AuthorizerNotFound").await;
    for malformed in [json!({}), json!([]), json!({"authorizer_appid": 7}), json!({"authorizer_appid": ""})] {
        token.error("request", malformed, "InvalidRequest").await;
    }
    let malformed = json!({"authorizer_appid": scene.appid, "rejected_access_token": 7});
    token.error("request", malformed, "InvalidRequest").await;

    let redirect = scene.consent();
    scene.wechat.on("api_query_auth").once(Fault::json(json!({"authorizer_appid": scene.appid})));
    scene.wechat.on("api_get_authorizer_info").once(Fault::errcode(-1));
    assert_eq!(scene.visit(&scene.callback(), &redirect).await.status, 200);
    token.error("request", request.clone(), "NoAccessToken").await;

    scene.clock.advance(120);
    assert_eq!(scene.visit(&scene.callback(), &scene.consent()).await.status, 200);
    let answer = token.answer("request", request.clone(), "answer").await;
    let rejected = json!({
        "authorizer_appid": scene.appid, "rejected_access_token": answer["authorizer_access_token"],
    });
    token.error("request", rejected.clone(), "TemporarilyUnavailable").await;
    scene.clock.advance(60);
    token.answer("request", rejected, "answer").await;
    let nothing_rejected = json!({"authorizer_appid": scene.appid, "rejected_access_token": null});
    token.answer("request", nothing_rejected, "answer").await;

    scene.clock.advance(120);
    let push = scene.wechat.push_unauthorized(&scene.appid).created_at(scene.clock.now().as_secs());
    assert_eq!(scene.events().request(push).await.status, 200);
    token.error("request", request, "AuthorizerUnauthorized").await;
    token.check_all_errors_seen();
}

#[tokio::test]
async fn component_token_answers_as_its_schema_says() {
    let scene = Scene::new().await;
    let mut token = Asked::new("component_token", scene.component_token());
    let answer = token.answer("request", json!({}), "answer").await;
    let rejected = json!({"rejected_component_access_token": answer["component_access_token"]});
    token.error("request", rejected.clone(), "TemporarilyUnavailable").await;
    scene.clock.advance(60);
    token.answer("request", rejected, "answer").await;
    token.answer("request", json!({"rejected_component_access_token": null}), "answer").await;
    for malformed in [json!(null), json!([]), json!({"rejected_component_access_token": 7}), json!({"x": 1})]
    {
        token.error("request", malformed, "InvalidRequest").await;
    }
    token.check_all_errors_seen();
}

#[tokio::test]
async fn launch_answers_as_its_schema_says() {
    let scene = Scene::new().await;
    let function = |scene: &Scene| {
        let sandbox = scene.with("PUBLIC_BASE_URL", "https://platform.example.com");
        sandbox.with("RETURN_URL_PREFIX", "https://shop.example.com/wechat/").launch()
    };
    let mut launch = Asked::new("launch", function(&scene));
    let everything = json!({
        "state": "tenant-7", "auth_type": "3", "category_id_list": [1, 15],
        "return_url": "https://shop.example.com/wechat/done",
    });
    let begun = launch.answer("begin", everything, "begun").await;
    let nulls = json!({"state": null, "auth_type": null, "biz_appid": null, "return_url": null});
    let nothing = launch.answer("begin", nulls, "begun").await;
    launch.answer("begin", json!({"biz_appid": "wx5a4db0c0ffee0001"}), "begun").await;

    let ask = |launch: &Value| json!({"launch_id": launch["launch_id"]});
    let open = launch.answer("ask", ask(&begun), "outcome").await;
    assert_eq!(open["status"], "open");
    let back = crate::scene::of_launch(&scene.consent(), &begun);
    assert_eq!(scene.visit(&scene.callback(), &back).await.status, 200);
    let authorized = launch.answer("ask", ask(&begun), "outcome").await;
    assert_eq!(authorized["status"], "authorized");
    scene.clock.advance(120);
    let push = scene.wechat.push_unauthorized(&scene.appid).created_at(scene.clock.now().as_secs());
    assert_eq!(scene.events().request(push).await.status, 200);
    assert_eq!(launch.answer("ask", ask(&begun), "outcome").await["status"], "unauthorized");
    scene.clock.advance(7201);
    assert_eq!(launch.answer("ask", ask(&nothing), "outcome").await["status"], "expired");
    // An account belongs to a launch that it ended, and to no other.
    for (name, value) in [("status", json!("open")), ("authorizer_appid", json!(null))] {
        let mut other = authorized.clone();
        other[name] = value;
        check_refused("launch/outcome", &other);
    }

    launch.error("ask", json!({"launch_id": "0".repeat(32)}), "LaunchNotFound").await;
    launch.error("ask", json!({"launch_id": "x"}), "InvalidRequest").await;
    for malformed in [
        json!({"state": "a b"}),
        json!({"state": "x".repeat(257)}),
        json!({"auth_type": "7"}),
        json!({"biz_appid": "x"}),
        json!({"category_id_list": "1|2"}),
        json!({"category_id_list": [-1]}),
        json!({"category_id_list": null}),
        json!({"stat": "tenant-7"}),
        json!([]),
    ] {
        launch.error("begin", malformed, "InvalidRequest").await;
    }
    scene.wechat.on("api_create_preauthcode").always(Fault::errcode(45009));
    launch.error("begin", json!({}), "TemporarilyUnavailable").await;
    launch.check_all_errors_seen();
}

#[test]
fn each_request_in_the_event_files_is_as_its_schema_says() {
    for (schema, file) in [
        ("launch/begin", include_str!("../../../events/launch.json")),
        ("launch/ask", include_str!("../../../events/launch-outcome.json")),
        ("token/request", include_str!("../../../events/token.json")),
        ("token/request", include_str!("../../../events/token-rejected.json")),
        ("token/request", include_str!("../../../events/token-unknown-account.json")),
    ] {
        check(schema, &serde_json::from_str(file).expect("JSON"));
    }
}
