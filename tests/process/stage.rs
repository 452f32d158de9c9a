//! A sandbox, and the artifact behind a Runtime API, with a tunnel to each of the two servers.

use std::path::PathBuf;
use std::time::Duration;

use sandbox::gateway::{HttpRequest, event, redirect};
use sandbox::process::{Artifact, Process};
use sandbox::tunnel::{Leaving, Tunnel};
use sandbox::wechat::Account;
use sandbox::{Sandbox, template};
use serde_json::{Value, json};

pub(crate) struct Stage {
    pub(crate) sandbox: Sandbox,
    wechat: Tunnel,
    dynamodb: Tunnel,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        let sandbox = Sandbox::start().await.with("PUBLIC_BASE_URL", "https://platform.example.com");
        let wechat = Tunnel::to(&sandbox.wechat.base_url).await.expect("a port is free");
        let dynamodb = Tunnel::to(&sandbox.dynamodb.endpoint).await.expect("a port is free");
        Self { sandbox, wechat, dynamodb }
    }

    /// A new process of a function.
    pub(crate) async fn start(&self, handler: &'static str) -> Process {
        let variables = self
            .sandbox
            .with("WECHAT_API_BASE_URL", &self.wechat.origin())
            .with("AWS_ENDPOINT_URL_DYNAMODB", &self.dynamodb.origin())
            // Nobody listens there, and nothing may be sent there.
            .with("http_proxy", "http://127.0.0.1:1")
            .variables()
            .clone();
        let artifact = Artifact {
            binary: PathBuf::from(env!("CARGO_BIN_EXE_wechat-authorizer")),
            handler,
            variables,
            timeout: template::timeout(&template::function(handler)),
            processor: None,
        };
        Process::start(&artifact).await.expect("it starts")
    }

    /// An account and the redirect with which its merchant comes back to a service's launch.
    pub(crate) async fn consent(&self, name: &str) -> (String, Value) {
        let appid = self.sandbox.wechat.add_account(Account::official_account(name));
        let launch = self.sandbox.launch().run(json!({"state": "s"})).await.expect("a launch begins");
        let code = self.sandbox.wechat.authorize(&appid, &[1]);
        let id = launch["launch_id"].as_str().expect("an id");
        let visit = HttpRequest::get(&format!("{}&launch={id}", redirect(&code)));
        (appid, event(&visit, self.sandbox.clock.now().as_secs()))
    }

    /// The record of an account, which must be there.
    pub(crate) async fn record(&self, appid: &str) -> Value {
        self.sandbox.dynamodb.authorizer(appid).await.expect("the record is stored")
    }

    /// Makes the account's token due.
    pub(crate) async fn make_due(&self, appid: &str) {
        let dynamodb = &self.sandbox.dynamodb;
        let key = json!({
            "authorizer_appid": {"S": appid},
            "component_appid": {"S": self.sandbox.wechat.component_appid},
        });
        let update = json!({
            "TableName": dynamodb.authorizers_table,
            "Key": key,
            "UpdateExpression": "SET refresh_at = :due",
            "ExpressionAttributeValues": {":due": {"N": "1"}},
        });
        dynamodb.call("UpdateItem", update).await;
    }

    /// Freezes a process that has nothing to do until its connections are old, and ends them meanwhile.
    pub(crate) async fn freeze(&self, process: &mut Process, how: Leaving) {
        process.ready().await.expect("it asks for the next event");
        process.freeze().expect("it runs");
        self.wechat.end_all(how).await;
        self.dynamodb.end_all(how).await;
        // The clock on the wall cannot be moved from here.
        tokio::time::sleep(Duration::from_millis(1500)).await;
        process.thaw().expect("it is there");
    }
}
