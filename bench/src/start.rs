//! The artifact beside an empty function with the same profile: both behind a Runtime API, by turns. The
//! figures of one machine at one time mean little, so the ratios to the empty function are what counts.
//!
//! The artifact runs as `callback`: each invocation exchanges a fresh code at the sandbox's WeChat and stores
//! the grant in the sandbox's DynamoDB, over HTTP without TLS.

mod report;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use sandbox::wechat::Account;
use sandbox::{HttpRequest, Sandbox, gateway, template};
use serde_json::Value;

use crate::artifact::build;
use report::{Costs, print};
use sandbox::process::{Artifact, Process};

/// An odd number, so that the median is one of them.
const STARTS: usize = 15;

const INVOCATIONS: usize = 1000;

/// The first ones open connections and fill caches.
const WARM_AFTER: usize = 20;

/// Measures and prints.
pub(crate) async fn run() -> Result<(), Box<dyn Error>> {
    let sandbox = Sandbox::start().await;
    let timeout = template::timeout("VisitsFunction");
    let callback = Artifact {
        binary: build("wechat-authorizer")?,
        handler: "visits",
        variables: sandbox.variables().clone(),
        timeout,
    };
    let empty = Artifact {
        binary: build("empty-function")?,
        handler: "empty",
        variables: BTreeMap::default(),
        timeout,
    };
    let mut callback_costs = Costs { size: fs::metadata(&callback.binary)?.len(), ..Costs::default() };
    let mut empty_costs = Costs { size: fs::metadata(&empty.binary)?.len(), ..Costs::default() };

    // The first one mints the component token, which thousands of starts then find in the table.
    start(&callback, visit(&sandbox), &mut Costs::default()).await?;
    start(&empty, visit(&sandbox), &mut Costs::default()).await?;
    for count in 1..=STARTS {
        eprint!("\rstarts: {count}/{STARTS}");
        start(&callback, visit(&sandbox), &mut callback_costs).await?;
        start(&empty, visit(&sandbox), &mut empty_costs).await?;
    }
    eprintln!();

    let mut callback = Process::start(&callback).await?;
    let mut empty = Process::start(&empty).await?;
    for count in 1..=INVOCATIONS {
        if count % 50 == 0 {
            eprint!("\rinvocations: {count}/{INVOCATIONS}");
        }
        let warm = count > WARM_AFTER;
        invoke(&mut callback, visit(&sandbox), warm, &mut callback_costs).await?;
        invoke(&mut empty, visit(&sandbox), warm, &mut empty_costs).await?;
    }
    eprintln!();
    callback_costs.peak_memory = callback.peak_memory()?;
    empty_costs.peak_memory = empty.peak_memory()?;

    print(&callback_costs, &empty_costs);
    Ok(())
}

/// One start, up to the first answer.
async fn start(function: &Artifact, event: Value, costs: &mut Costs) -> Result<(), Box<dyn Error>> {
    let mut process = Process::start(function).await?;
    costs.first_poll.push(process.first_poll().await?);
    costs.processor_of_start.push(process.processor_time()?);
    let (_, answered, answer) = process.invoke(event).await?;
    costs.first_answer.push(answered - process.started());
    check(&answer)
}

async fn invoke(
    process: &mut Process,
    event: Value,
    warm: bool,
    costs: &mut Costs,
) -> Result<(), Box<dyn Error>> {
    process.ready().await?;
    let before = process.processor_time()?;
    let (began, answered, answer) = process.invoke(event).await?;
    process.ready().await?;
    if warm {
        costs.invocations.push(answered - began);
        costs.processor_of_invocations += process.processor_time()? - before;
    }
    check(&answer)
}

/// What is fast because it failed is not measured.
fn check(answer: &Value) -> Result<(), Box<dyn Error>> {
    match answer["statusCode"].as_u64() {
        Some(200) => Ok(()),
        _ => Err(format!("the function should answer 200, but says {answer}").into()),
    }
}

/// A merchant who has just agreed comes back from WeChat.
fn visit(sandbox: &Sandbox) -> Value {
    let appid = sandbox.wechat.add_account(Account::official_account("Tea"));
    let code = sandbox.wechat.authorize(&appid, &[1, 2, 3, 4, 11, 15, 24]);
    let request = HttpRequest::get(&gateway::redirect(&code))
        .header("Accept", "text/html,application/xhtml+xml")
        .header("Accept-Encoding", "gzip, deflate, br")
        .header("Accept-Language", "zh-CN,zh;q=0.9")
        .header("User-Agent", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) MicroMessenger/8.0.60")
        .header("X-Forwarded-For", "203.0.113.5")
        .header("X-Forwarded-Port", "443")
        .header("X-Forwarded-Proto", "https");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    gateway::event(&request, now.as_secs() as i64)
}
