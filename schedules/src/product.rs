//! Everything here that names a detail of the product: functions, tables, parameters, attributes.

use aws_config::SdkConfig;
use lambda_http::lambda_runtime::Diagnostic;
use lambda_http::{Context, LambdaEvent};
use sandbox::gateway::HttpRequest;
use sandbox::{Answer, Instance, Sandbox, template};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use wechat_authorizer::after::AfterWork;
use wechat_authorizer::config::Config;
use wechat_authorizer::http::Http;
use wechat_authorizer::services::Services;
use wechat_authorizer::time::Clock;
use wechat_authorizer::{callback, events, launch, reconcile, refresh, token};

use crate::fault::Side;
use crate::tables::Tables;
use crate::wire::Request;

/// The tables, by the template's resources.
const AUTHORIZERS: (&str, &str) = ("AuthorizersTable", "authorizers");
const PLATFORM: (&str, &str) = ("PlatformTable", "platform");

/// When a page must have said at the latest whether the authorization is complete or must be begun again, after the
/// visit: a code lives for an hour.
pub const PAGE_ENDS: Duration = Duration::from_secs(3 * 3600);

/// The functions that a schedule invokes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Function {
    /// Begins a launch for a service.
    Launch,
    /// The redirect's target.
    Callback,
    /// WeChat's pushes.
    Events,
    /// Every minute.
    Refresh,
    /// Every day.
    Reconcile,
    /// For services.
    Token,
}

/// One process of a function.
#[derive(Clone)]
pub enum App {
    /// One that answers HTTP.
    Http(Instance),
    /// `launch`.
    Launch(Arc<launch::App>),
    /// `refresh`.
    Refresh(Arc<refresh::App>),
    /// `reconcile`.
    Reconcile(Arc<reconcile::App>),
    /// `token`.
    Token(Arc<token::App>),
}

/// The database of a new world.
pub fn tables() -> Tables {
    Tables::new(&[AUTHORIZERS, PLATFORM])
}

/// What the functions find in their environment.
pub fn config(sandbox: &Sandbox, wechat_base_url: &str) -> Config {
    let mut variables: BTreeMap<String, String> = sandbox.variables().clone();
    for (name, value) in [
        ("AUTHORIZERS_TABLE", AUTHORIZERS.1),
        ("PLATFORM_TABLE", PLATFORM.1),
        ("PUSHES_TABLE", "pushes"),
        ("PUBLIC_BASE_URL", "https://platform.example.com"),
        ("WECHAT_API_BASE_URL", wechat_base_url),
    ] {
        variables.insert(name.to_owned(), value.to_owned());
    }
    Config::from_variables(|name| variables.get(name).cloned()).expect("the variables are good")
}

impl Function {
    /// What a cold start makes.
    pub fn start(self, config: &Config, aws: &SdkConfig, http: Http, clock: &Clock) -> App {
        let services = Services::new(config, aws, http, clock.clone());
        match self {
            Self::Callback => {
                let app = Arc::new(callback::App::new(config, services));
                App::Http(Instance::new(self.limit(), clock.clone(), move |request| {
                    let app = app.clone();
                    async move { callback::handle(&app, request).await }
                }))
            }
            Self::Events => {
                let app = Arc::new(events::App::new(config, services));
                App::Http(Instance::new(self.limit(), clock.clone(), move |request| {
                    let app = app.clone();
                    async move { events::handle(&app, request).await }
                }))
            }
            Self::Launch => App::Launch(Arc::new(launch::App::new(config, services))),
            Self::Refresh => App::Refresh(Arc::new(refresh::App::new(config, services))),
            Self::Reconcile => App::Reconcile(Arc::new(reconcile::App::new(config, services))),
            Self::Token => App::Token(Arc::new(token::App::new(config, services))),
        }
    }

    /// When Lambda ends an invocation.
    pub fn limit(self) -> Duration {
        static LIMITS: LazyLock<BTreeMap<Function, Duration>> = LazyLock::new(|| {
            let functions = [
                (Function::Launch, "LaunchFunction"),
                (Function::Callback, "VisitsFunction"),
                (Function::Events, "EventsFunction"),
                (Function::Refresh, "RefreshFunction"),
                (Function::Reconcile, "ReconcileFunction"),
                (Function::Token, "TokenFunction"),
            ];
            functions.map(|(function, resource)| (function, template::timeout(resource))).into()
        });
        LIMITS[&self]
    }
}

impl App {
    /// One visit or push up to its answer, and what is left to be done after it.
    pub async fn answer(&self, request: HttpRequest) -> (Answer, AfterWork) {
        match self {
            Self::Http(instance) => instance.answer(request).await,
            _ => panic!("this function does not answer HTTP"),
        }
    }

    /// One invocation with JSON: its answer, or the name of its error.
    pub async fn invoke(&self, event: Value, limit: Duration) -> Result<Value, String> {
        let event = LambdaEvent::new(event, context(limit));
        let answered = match self {
            Self::Launch(app) => json_of(boxed(launch::handle(app, event)).await),
            Self::Refresh(app) => json_of(boxed(refresh::handle(app, event)).await),
            Self::Reconcile(app) => json_of(boxed(reconcile::handle(app, event)).await),
            Self::Token(app) => json_of(boxed(token::handle(app, event)).await),
            Self::Http(_) => panic!("this function answers HTTP"),
        };
        answered.map_err(|diagnostic| diagnostic.error_type)
    }
}

/// A function's future is deeper than the compiler likes to look.
fn boxed<'a, T>(handling: impl Future<Output = T> + 'a) -> Pin<Box<dyn Future<Output = T> + 'a>> {
    Box::pin(handling)
}

fn json_of<T: serde::Serialize, E: Into<Diagnostic>>(answer: Result<T, E>) -> Result<Value, Diagnostic> {
    answer.map(|answer| serde_json::to_value(answer).expect("an answer is JSON")).map_err(Into::into)
}

fn context(limit: Duration) -> Context {
    let deadline = (SystemTime::now() + limit).duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut context = Context::default();
    context.deadline = deadline.as_millis() as u64;
    context
}

/// What a request is about, for people: no secrets.
pub fn label(request: &Request) -> String {
    let operation = &request.operation;
    if request.side == Side::WeChat {
        return operation.clone();
    }
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let kind = body["Key"]["pk"]["S"].as_str().and_then(|key| key.split('#').next());
    let about = kind.or_else(|| body["IndexName"].as_str()).or_else(|| body["TableName"].as_str());
    format!("{operation} {}", about.unwrap_or_default()).trim_end().to_owned()
}

/// What a service asks `launch` for.
pub fn launch_event(state: &str) -> Value {
    json!({ "state": state })
}

/// A launch that has begun.
pub struct Launched {
    /// What the push about it names.
    pub pre_auth_code: String,
    /// Where WeChat redirects the browser: path and query.
    pub callback: String,
}

/// Reads the answer of `launch`.
pub fn launched(answer: &Value) -> Option<Launched> {
    let callback = format!("/callback?launch={}", answer["launch_id"].as_str()?);
    Some(Launched { pre_auth_code: answer["pre_auth_code"].as_str()?.to_owned(), callback })
}

/// Where a redirect with `code` leads that no launch is known of.
pub fn bare_callback() -> String {
    "/callback".to_owned()
}

/// The callback that a stranger makes up, with what he knows of somebody's launch.
pub fn forged_callback(state: &str) -> String {
    format!("/callback?state={state}")
}

/// WeChat's redirect to `callback` with `code`.
pub fn redirect(callback: &str, code: &str) -> String {
    let separator = if callback.contains('?') { '&' } else { '?' };
    format!("{callback}{separator}auth_code={}&expires_in=3600", code.replace('@', "%40"))
}

/// Whether a page says that an authorization failed, and not only that it is still open.
pub fn says_that_it_failed(answer: &Answer) -> bool {
    (400..500).contains(&answer.status) && !answer.body.contains("请在平台查看授权结果")
}

/// What a page is called.
pub fn title(answer: &Answer) -> &str {
    let title = answer.body.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>"));
    title.map_or("no title", |(title, _)| title)
}

/// How old a token must be at least, in seconds, for `token` to believe a service that rejects it.
pub const BELIEVED_AFTER: i64 = 60;

/// What a service asks `token`.
pub fn token_event(appid: &str, rejected: Option<&str>) -> Value {
    json!({"authorizer_appid": appid, "rejected_access_token": rejected})
}

/// The token in the answer.
pub fn token_of(answer: &Value) -> &str {
    answer["authorizer_access_token"].as_str().unwrap_or_default()
}

impl Record {
    /// Whether `token` is the stored one and too young at `asked_at` for a service that rejects it to be believed.
    pub fn is_young(&self, token: &str, asked_at: i64) -> bool {
        let is_doubted = self.refresh_at.is_some_and(|refresh_at| refresh_at <= self.refreshed_at);
        let is_stored = self.access_token.as_deref() == Some(token);
        is_stored && !is_doubted && asked_at - self.refreshed_at < BELIEVED_AFTER
    }
}

/// One account's record.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// Whether the account authorizes the platform; none without a record.
    pub authorized: Option<bool>,
    /// The refresh token.
    pub refresh_token: Option<String>,
    /// The access token.
    pub access_token: Option<String>,
    /// When it ends.
    pub expires_at: i64,
    /// When it was obtained.
    pub refreshed_at: i64,
    /// When it is refreshed.
    pub refresh_at: Option<i64>,
    /// Whether the last refresh failed.
    pub is_failing: bool,
    /// When the grant was made.
    pub authorized_at: i64,
    /// What a service gave to the launch.
    pub state: Option<String>,
    /// Whether the record says how the launch is known.
    pub is_bound: bool,
    /// The permission sets, in ascending order.
    pub permission_set_ids: Vec<i64>,
    /// Whether the record says who the account is.
    pub has_profile: bool,
}

/// The record of an account.
pub fn record(tables: &Tables, component: &str, appid: &str) -> Record {
    let item = tables.item(AUTHORIZERS.1, &[("authorizer_appid", appid), ("component_appid", component)]);
    let text = |name: &str| item[name].as_str().map(str::to_owned);
    let number = |name: &str| item[name].as_i64();
    let ids = item["permission_set_ids"].as_array().into_iter().flatten();
    let mut permission_set_ids: Vec<i64> = ids.filter_map(Value::as_i64).collect();
    permission_set_ids.sort_unstable();
    Record {
        authorized: text("status").map(|status| status == "authorized"),
        refresh_token: text("authorizer_refresh_token"),
        access_token: text("authorizer_access_token"),
        expires_at: number("access_token_expires_at").unwrap_or_default(),
        refreshed_at: number("refreshed_at").unwrap_or_default(),
        refresh_at: number("refresh_at"),
        is_failing: item["refresh_failure"].is_object(),
        authorized_at: number("authorized_at").unwrap_or_default(),
        state: text("state"),
        is_bound: item["bound"].is_string(),
        permission_set_ids,
        has_profile: item["profile"].is_object(),
    }
}

/// Deletes the record of an account.
pub fn lose_record(tables: &Tables, component: &str, appid: &str) {
    tables.delete(AUTHORIZERS.1, &[("authorizer_appid", appid), ("component_appid", component)]);
}

/// How many claims are not finished.
pub fn pending_claims(tables: &Tables) -> usize {
    let claims = tables.items(PLATFORM.1).into_iter();
    let claims = claims.filter(|item| item["pk"].as_str().is_some_and(|pk| pk.starts_with("code#")));
    claims.filter(|claim| claim["status"] == "claimed").count()
}

/// Where the claim on a code stands: `claimed`, `done`, `failed`; empty if there is none.
pub fn claim_status(tables: &Tables, component: &str, code: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, code.as_bytes());
    let digest: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let item = tables.item(PLATFORM.1, &[("pk", &format!("code#{component}#{digest}"))]);
    item["status"].as_str().unwrap_or_default().to_owned()
}
