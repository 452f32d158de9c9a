//! Event files: `<function>.json` and `<function>-<situation>.json` in `events/`, as AWS sends them.

use std::ops::Range;
use std::path::Path;

use serde_json::Value;

use crate::browser::Browser;
use crate::gateway::{self, DOMAIN_NAME, HttpRequest};
use crate::instance::{Answer, Instance};
use crate::json_instance::InvocationError;
use crate::sandbox::{Function, HTTP_FUNCTIONS, JSON_FUNCTIONS, Sandbox};
use crate::template::PAGES;

/// The code of the Official Account that the event files name.
const OFFICIAL_ACCOUNT: &str = "queryauthcode@@@sandbox-official-account";

/// The code and the appid of their Mini Program.
const MINI_PROGRAM: (&str, &str) = ("queryauthcode@@@sandbox-mini-program", "wx5a4db0c5709e0002");

/// The id of the launch that they name.
pub const LAUNCH: &str = "5a4db0c01a9c45a4db0c01a9c4000001";

/// Milliseconds since 1970, up to the end of the years with four digits.
const TIMES: Range<i64> = 0..253_402_300_800_000;

/// An event and the function that it is for.
#[derive(Clone, Debug)]
pub struct EventFile {
    /// The name of the function, or of the page that it answers: what the file's name has before the first `-` or `.`.
    pub function: String,
    /// The event.
    pub event: Value,
}

/// What the function made of it.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The answer over HTTP, and after it that of the address to which it redirects the browser.
    Http(Vec<Answer>),
    /// The result of an invocation.
    Json(Result<Value, InvocationError>),
}

impl EventFile {
    /// Reads a file; an error is a sentence for the terminal.
    pub fn read(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let text = std::fs::read_to_string(path).map_err(|error| format!("{shown}: {error}"))?;
        let event = serde_json::from_str(&text).map_err(|error| format!("{shown} is not JSON: {error}"))?;
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let function = name.split(['-', '.']).next().unwrap_or_default();
        if PAGES.contains(&function) || HTTP_FUNCTIONS.contains(&function) {
            check(&event).map_err(|why| format!("{shown} is no event of API Gateway: {why}"))?;
        } else if !JSON_FUNCTIONS.contains(&function) {
            return Err(format!(
                "{shown}: the name must start with the name of a function or a page, as callback-no-code.json does"
            ));
        }
        Ok(Self { function: function.to_owned(), event })
    }

    /// A sandbox in which the event has something to do.
    pub async fn sandbox(&self) -> Sandbox {
        let sandbox = Sandbox::start_without_ticket().await;
        if let Some(milliseconds) = self.event["requestContext"]["timeEpoch"].as_i64() {
            sandbox.clock.advance(milliseconds / 1000 - sandbox.clock.now().as_secs());
        }
        // The last ticket is ten minutes old, so that one in an event is newer.
        sandbox.clock.advance(-600);
        sandbox.put_ticket().await;
        sandbox.clock.advance(600);
        match self.function.as_str() {
            "doctor" => return sandbox.with_gateway().await,
            "authorize" | "callback" | "launch" => {
                sandbox.put_launch(LAUNCH, "customer-4711").await;
                return sandbox.with("PUBLIC_BASE_URL", &format!("https://{DOMAIN_NAME}"));
            }
            "messages" => grant(&sandbox, OFFICIAL_ACCOUNT).await,
            "token" => {
                grant(&sandbox, OFFICIAL_ACCOUNT).await;
                sandbox.clock.advance(60);
            }
            "refresh" => {
                grant(&sandbox, OFFICIAL_ACCOUNT).await;
                sandbox.clock.advance(7000);
            }
            "reconcile" => {
                grant(&sandbox, OFFICIAL_ACCOUNT).await;
                grant(&sandbox, MINI_PROGRAM.0).await;
                sandbox.lose_record(MINI_PROGRAM.1).await;
            }
            _ => {}
        }
        sandbox
    }

    /// What the browser reads at the address to which `answer` redirects it.
    async fn follow(&self, instance: &Instance, answer: &Answer) -> Answer {
        let headers = self.event["headers"].as_object().into_iter().flatten();
        let headers = headers.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
        let request = HttpRequest { headers: headers.collect(), ..HttpRequest::get("/") };
        let browser = Browser::new();
        browser.keep(answer);
        browser.follow(instance, &request, answer).await
    }

    /// Hands the event to a cold instance of its function.
    pub async fn run(&self, sandbox: &Sandbox) -> Outcome {
        let function = sandbox.function(&self.function).expect("the name was read as that of a function");
        match function {
            Function::Http(instance) => {
                let answer = instance.invoke(self.event.clone()).await;
                let page = match answer.status {
                    303 => Some(self.follow(&instance, &answer).await),
                    _ => None,
                };
                Outcome::Http([answer].into_iter().chain(page).collect())
            }
            Function::Json(instance) => Outcome::Json(instance.run(self.event.clone()).await),
        }
    }
}

/// Whether the sandbox can hand this event to a function that answers HTTP.
fn check(event: &Value) -> Result<(), String> {
    wechat_authorizer::gateway::read(event.clone()).map_err(|error| error.to_string())?;
    let time = &event["requestContext"]["timeEpoch"];
    if !time.is_null() && !time.as_i64().is_some_and(|milliseconds| TIMES.contains(&milliseconds)) {
        return Err("timeEpoch is no time in milliseconds".to_owned());
    }
    Ok(())
}

/// WeChat's redirect, before the event.
async fn grant(sandbox: &Sandbox, code: &str) {
    let answer = Browser::new().visit(&sandbox.callback(), &gateway::redirect(code)).await;
    assert_eq!(answer.status, 200, "the grant before the event is stored");
}
