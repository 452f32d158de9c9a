//! The stage of every test here: a sandbox with one account, and an eye on everything that is said.

use std::io;
use std::ops::Deref;
use std::sync::{Mutex, Once};

pub(crate) use sandbox::gateway::redirect;
use sandbox::wechat::Account;
use sandbox::{Answer, Browser, HttpRequest, Instance, Sandbox};
use serde_json::{Value, json};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Everything that the functions logged in this process, at the most talkative level.
static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// A sandbox with an Official Account. When it ends, none of WeChat's secrets may be in the log.
pub(crate) struct Scene {
    pub(crate) sandbox: Sandbox,
    pub(crate) appid: String,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        Self::of(Sandbox::start().await)
    }

    pub(crate) async fn without_ticket() -> Self {
        Self::of(Sandbox::start_without_ticket().await)
    }

    fn of(sandbox: Sandbox) -> Self {
        capture_log();
        let appid = sandbox.wechat.add_account(Account::official_account("茶馆 & Co"));
        Self { sandbox, appid }
    }

    /// The merchant consents: WeChat's redirect.
    pub(crate) fn consent(&self) -> String {
        redirect(&self.wechat.authorize(&self.appid, &[1, 2, 24]))
    }

    /// A service's launch, as `launch` answers: of the state `tenant-7`.
    pub(crate) async fn launch(&self) -> Value {
        self.launch_with(json!({"state": "tenant-7"})).await
    }

    /// A service's launch with these parameters.
    pub(crate) async fn launch_with(&self, parameters: Value) -> Value {
        let launch = self.with("PUBLIC_BASE_URL", "https://platform.example.com").launch();
        launch.run(parameters).await.expect("a launch begins")
    }

    /// What the platform tells its services of a launch.
    pub(crate) async fn outcome(&self, launch: &Value) -> Value {
        let event = json!({"launch_id": launch["launch_id"]});
        self.sandbox.launch().run(event).await.expect("the launch is known")
    }

    /// The merchant consents to a service's launch: WeChat's redirect.
    pub(crate) async fn launched(&self) -> String {
        let launch = self.launch().await;
        of_launch(&self.consent(), &launch)
    }

    /// The record of the account.
    pub(crate) async fn record(&self) -> Option<Value> {
        self.dynamodb.authorizer(&self.appid).await
    }

    /// The record of the account, which must be there.
    pub(crate) async fn stored(&self) -> Value {
        self.record().await.expect("the record is stored")
    }

    /// The only claim.
    pub(crate) async fn claim(&self) -> Value {
        let mut claims = self.dynamodb.platform_items("code#").await;
        assert_eq!(claims.len(), 1, "one claim");
        claims.remove(0)
    }

    /// How often WeChat was asked to exchange a code.
    pub(crate) fn exchanges(&self) -> usize {
        self.wechat.on("api_query_auth").count()
    }

    /// A visit whose process dies after WeChat's answer and before the grant is written.
    pub(crate) async fn die_before_writing(&self, path_and_query: &str) {
        let hold = self.dynamodb.on("TransactWriteItems").hold_before();
        let (instance, path) = (self.callback(), path_and_query.to_owned());
        let dying = tokio::spawn(async move { instance.get(&path).await });
        hold.arrived().await;
        dying.abort();
        assert!(dying.await.expect_err("it died").is_cancelled());
    }

    /// A visit to its end with a new browser. The page must not show a secret.
    pub(crate) async fn visit(&self, instance: &Instance, path_and_query: &str) -> Answer {
        self.request(instance, HttpRequest::get(path_and_query)).await
    }

    /// The same for any request.
    pub(crate) async fn request(&self, instance: &Instance, request: HttpRequest) -> Answer {
        let answer = Browser::new().visit(instance, request).await;
        self.assert_clean(&format!("{answer:?}"), "an answer");
        answer
    }

    /// Checks that `text` shows none of the secrets that WeChat has made or been sent.
    pub(crate) fn assert_clean(&self, text: &str, place: &str) {
        for secret in self.wechat.secrets() {
            // The launch page's links are what a pre_auth_code is for.
            if !secret.starts_with("preauthcode@@@") || place == "the log" {
                assert!(
                    !text.contains(&secret),
                    "{place} shows a secret: {}",
                    &secret[..secret.len().min(16)]
                );
            }
        }
    }
}

impl Deref for Scene {
    type Target = Sandbox;

    fn deref(&self) -> &Sandbox {
        &self.sandbox
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.assert_clean(&log(), "the log");
        }
    }
}

/// The redirect as it comes back to this launch.
pub(crate) fn of_launch(redirect: &str, launch: &Value) -> String {
    format!("{redirect}&launch={}", launch["launch_id"].as_str().expect("an id"))
}

/// The log so far, of all tests of this process.
pub(crate) fn log() -> String {
    String::from_utf8_lossy(&LOG.lock().expect("not poisoned")).into_owned()
}

/// Checks that a line of the log has all of `parts`; other tests' lines do no harm, because one of the parts is
/// particular to the caller's test.
#[track_caller]
pub(crate) fn assert_logged(parts: &[&str]) {
    let log = log();
    let found = log.lines().any(|line| parts.iter().all(|part| line.contains(part)));
    assert!(found, "no line of the log has all of {parts:?}");
}

fn capture_log() {
    static CAPTURE: Once = Once::new();
    CAPTURE.call_once(|| {
        let layer = wechat_authorizer::log::layer(Some("TRACE"), Some("JSON"), || Capture);
        tracing_subscriber::registry().with(layer).init();
    });
}

struct Capture;

impl io::Write for Capture {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        LOG.lock().expect("not poisoned").extend_from_slice(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
