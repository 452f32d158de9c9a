//! Everything together.

mod functions;

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use aws_config::SdkConfig;
use aws_lc_rs::digest;
use serde_json::{Value, json};
use wechat_authorizer::config::Config;
use wechat_authorizer::http;
use wechat_authorizer::time::Clock;

use crate::dynamodb::DynamoDb;
use crate::log::Log;
use crate::net::{self, Server};
use crate::pipe::Pipe;
use crate::wechat::WeChat;
pub use functions::{Function, HTTP_FUNCTIONS, JSON_FUNCTIONS};

/// A WeChat, a DynamoDB with all tables, and the environment in which the functions find them.
#[derive(Clone)]
pub struct Sandbox {
    /// The time of all parts; moving it moves all of them.
    pub clock: Clock,
    /// The simulated WeChat.
    pub wechat: WeChat,
    /// The tables.
    pub dynamodb: DynamoDb,
    variables: BTreeMap<String, String>,
    _gateway: Option<Arc<Server>>,
}

/// Where the servers listen.
#[derive(Clone, Copy, Debug)]
pub struct Listen {
    /// The address; other machines and containers reach 0.0.0.0.
    pub address: IpAddr,
    /// The simulated WeChat's port; 0 is any free one.
    pub wechat: u16,
    /// DynamoDB's port; 0 is any free one.
    pub dynamodb: u16,
}

/// On this machine only, on free ports.
impl Default for Listen {
    fn default() -> Self {
        Self { address: Ipv4Addr::LOCALHOST.into(), wechat: 0, dynamodb: 0 }
    }
}

impl Sandbox {
    /// A platform that is ready: tables created, the first ticket delivered.
    pub async fn start() -> Self {
        let sandbox = Self::start_without_ticket().await;
        sandbox.put_ticket().await;
        sandbox
    }

    /// A platform that still waits for WeChat's first ticket.
    pub async fn start_without_ticket() -> Self {
        Self::start_on(Listen::default(), Log::Nothing).await.expect("a port is free")
    }

    /// The same elsewhere: on given ports, or on free ones where those are taken. Fails where this machine does not have the address.
    pub async fn start_on(listen: Listen, log: Log) -> io::Result<Self> {
        let clock = Clock::default();
        let order = Arc::new(AtomicU64::new(0));
        let listener = net::listen(listen.address, listen.wechat).await?;
        let wechat = WeChat::start(listener, clock.clone(), order.clone(), log);
        let listener = net::listen(listen.address, listen.dynamodb).await?;
        let dynamodb = DynamoDb::start(listener, order, log).await;
        let variables = [
            ("AWS_ACCESS_KEY_ID", "sandbox".to_owned()),
            ("AWS_ENDPOINT_URL_DYNAMODB", dynamodb.endpoint.clone()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "sandbox".to_owned()),
            ("AUTHORIZERS_TABLE", dynamodb.authorizers_table.clone()),
            ("COMPONENT_APPID", wechat.component_appid.clone()),
            ("COMPONENT_SECRET", wechat.component_secret().to_string()),
            // Who plays here, and a test, makes more visits in a second than a merchant.
            ("UNVOUCHED_PER_SECOND", "1000".to_owned()),
            ("UNVOUCHED_PER_DAY", "86400".to_owned()),
            ("PLATFORM_TABLE", dynamodb.platform_table.clone()),
            ("PUSHES_TABLE", dynamodb.pushes_table.clone()),
            ("WECHAT_API_BASE_URL", wechat.base_url.clone()),
            ("WECHAT_MOBILE_BASE_URL", wechat.base_url.clone()),
            ("WECHAT_PC_BASE_URL", wechat.base_url.clone()),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value)).into();
        Ok(Self { clock, wechat, dynamodb, variables, _gateway: None })
    }

    /// The same sandbox with another environment: an empty value unsets a variable, as the functions see it.
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut sandbox = self.clone();
        sandbox.variables.insert(name.to_owned(), value.to_owned());
        sandbox
    }

    /// What the functions find in their environment.
    pub fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }

    /// Delivers a new ticket to the Platform table, as the push of one does, and returns it.
    pub async fn put_ticket(&self) -> String {
        let ticket = self.wechat.issue_ticket();
        let item = json!({
            "pk": format!("ticket#{}", self.wechat.component_appid),
            "component_verify_ticket": ticket,
            "create_time": self.clock.now().as_secs(),
        });
        self.dynamodb.put(&self.dynamodb.platform_table, item).await;
        ticket
    }

    /// Stores a service's launch with this id, as `launch` begins one with a random id.
    pub async fn put_launch(&self, id: &str, state: &str) {
        let digest = digest::digest(&digest::SHA256, id.as_bytes());
        let digest: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let now = self.clock.now().as_secs();
        let item = json!({
            "pk": format!("launch#{}#{digest}", self.wechat.component_appid),
            "made_by": "service",
            "state": state,
            "auth_type": "3",
            "open_until": now + 7200,
            "expires_at": now + 7200,
        });
        self.dynamodb.put(&self.dynamodb.platform_table, item).await;
    }

    /// Every event that the two pipes have put on the bus so far, in the order of its time.
    pub async fn events_on_bus(&self) -> Vec<Value> {
        let mut events = Vec::new();
        for (pipe, table) in
            [("ChangesPipe", &self.dynamodb.authorizers_table), ("PushesPipe", &self.dynamodb.pushes_table)]
        {
            let pipe = Pipe::of(pipe);
            events.extend(self.dynamodb.stream(table).await.iter().filter_map(|record| pipe.event(record)));
        }
        let at = |event: &Value| event["detail"]["at"].as_str().and_then(|at| at.parse::<i64>().ok());
        events.sort_by_key(at);
        events
    }

    /// Deletes the record of an account, which WeChat knows nothing of.
    pub async fn lose_record(&self, authorizer_appid: &str) {
        let key = json!({
            "authorizer_appid": authorizer_appid,
            "component_appid": self.wechat.component_appid,
        });
        self.dynamodb.delete(&self.dynamodb.authorizers_table, key).await;
    }

    /// The configuration that a function reads from [`Sandbox::variables`].
    pub fn config(&self) -> Config {
        Config::from_variables(|name| self.variables.get(name).cloned())
            .expect("the sandbox's variables are good")
    }

    /// The AWS configuration of one instance, with new connections.
    pub fn sdk_config(&self) -> SdkConfig {
        net::sdk_config(&self.dynamodb.endpoint, http::wires(http::roots()).1)
    }
}
