//! The artifact beside an empty function with the same profile, and beside any other artifact: all behind a Runtime API, by
//! turns. The figures of one machine at one time mean little, so the ratios to the empty function are what counts.
//!
//! The artifact runs as `visits`: each invocation exchanges a fresh code, of an account and a launch that nothing else has,
//! at the sandbox's WeChat and stores the grant in the sandbox's DynamoDB. First without a distance between them; then
//! with 2 ms to DynamoDB and 100 ms to WeChat, and two of those more for each new connection, as TLS 1.3 takes them.

mod report;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sandbox::process::{Artifact, Process};
use sandbox::tunnel::Tunnel;
use sandbox::wechat::Account;
use sandbox::{HttpRequest, Sandbox, gateway, template};
use serde_json::Value;

use crate::artifact::build;
use report::{Costs, print};

/// An odd number, so that the median is one of them.
const STARTS: usize = 25;

const INVOCATIONS: usize = 300;

/// With distances, which is mostly waiting.
const DISTANT_STARTS: usize = 11;
const DISTANT_INVOCATIONS: usize = 60;

/// The first ones open connections and fill caches.
const WARM_AFTER: usize = 20;

/// How far away the two are.
const TO_DYNAMODB: Duration = Duration::from_millis(2);
const TO_WECHAT: Duration = Duration::from_millis(100);

/// One artifact, and what it costs.
struct Candidate {
    name: &'static str,
    artifact: Artifact,
    near: Costs,
    distant: Costs,
}

/// Measures and prints. `other` is an artifact that is measured beside this one, and its handler.
pub(crate) async fn run(other: Option<(PathBuf, &'static str)>) -> Result<(), Box<dyn Error>> {
    let sandbox = Sandbox::start().await.with("PUBLIC_BASE_URL", "https://platform.example.com");
    let to_dynamodb = Tunnel::long(&sandbox.dynamodb.endpoint, TO_DYNAMODB).await?;
    let to_wechat = Tunnel::long(&sandbox.wechat.base_url, TO_WECHAT).await?;
    let distant = sandbox
        .with("AWS_ENDPOINT_URL_DYNAMODB", &to_dynamodb.origin())
        .with("WECHAT_API_BASE_URL", &to_wechat.origin());
    let candidate = |name, binary: PathBuf, handler, variables: &BTreeMap<String, String>| {
        let size = fs::metadata(&binary)?.len();
        let timeout = template::timeout("VisitsFunction");
        let artifact = Artifact { binary, handler, variables: variables.clone(), timeout };
        let near = Costs { size, ..Costs::default() };
        Ok::<_, std::io::Error>(Candidate { name, artifact, near, distant: Costs::default() })
    };
    let mut all = vec![
        candidate("empty", build("empty-function")?, "empty", &BTreeMap::default())?,
        candidate("visits", build("wechat-authorizer")?, "visits", sandbox.variables())?,
    ];
    if let Some((binary, handler)) = other {
        all.push(candidate("other", binary, handler, sandbox.variables())?);
    }

    // The first one mints the component token, which thousands of starts then find in the table.
    start(&sandbox, &all[1].artifact, &mut Costs::default()).await?;
    for count in 1..=STARTS {
        eprint!("\rstarts: {count}/{STARTS}");
        for Candidate { artifact, near, .. } in &mut all {
            start(&sandbox, artifact, near).await?;
        }
    }
    eprintln!();
    let mut processes = Vec::new();
    for Candidate { artifact, .. } in &all {
        processes.push(Process::start(artifact).await?);
    }
    for count in 1..=INVOCATIONS {
        if count % 50 == 0 {
            eprint!("\rinvocations: {count}/{INVOCATIONS}");
        }
        for (Candidate { near, .. }, process) in all.iter_mut().zip(&mut processes) {
            invoke(&sandbox, process, count > WARM_AFTER, near).await?;
        }
    }
    eprintln!();
    for (Candidate { near, .. }, process) in all.iter_mut().zip(&processes) {
        near.peak_memory = process.peak_memory()?;
    }
    drop(processes);

    // The empty function calls nobody.
    let mut processes = Vec::new();
    for Candidate { artifact, .. } in &mut all[1..] {
        artifact.variables = distant.variables().clone();
        processes.push(Process::start(artifact).await?);
    }
    for count in 1..=DISTANT_STARTS {
        eprint!("\rdistant starts: {count}/{DISTANT_STARTS}");
        for Candidate { artifact, distant, .. } in &mut all {
            start(&sandbox, artifact, distant).await?;
        }
    }
    for count in 1..=DISTANT_INVOCATIONS {
        eprint!("\rdistant invocations: {count}/{DISTANT_INVOCATIONS}");
        for (Candidate { distant, .. }, process) in all[1..].iter_mut().zip(&mut processes) {
            invoke(&sandbox, process, count > WARM_AFTER, distant).await?;
        }
    }
    eprintln!();
    for (Candidate { distant, .. }, process) in all[1..].iter_mut().zip(&mut processes) {
        process.ready().await?;
        let event = visit(&sandbox).await;
        let before = asked(&sandbox);
        let (_, _, answer) = process.invoke(event).await?;
        let after = asked(&sandbox);
        distant.asked = (after.0 - before.0, after.1 - before.1);
        check(&answer)?;
    }
    print(&all);
    Ok(())
}

/// One start, up to the first answer.
async fn start(sandbox: &Sandbox, artifact: &Artifact, costs: &mut Costs) -> Result<(), Box<dyn Error>> {
    let event = visit(sandbox).await;
    let mut process = Process::start(artifact).await?;
    costs.first_poll.push(process.first_poll().await?);
    costs.processor_of_start.push(process.processor_time()?);
    let (_, answered, answer) = process.invoke(event).await?;
    costs.first_answer.push(answered - process.started());
    check(&answer)
}

async fn invoke(
    sandbox: &Sandbox,
    process: &mut Process,
    warm: bool,
    costs: &mut Costs,
) -> Result<(), Box<dyn Error>> {
    let event = visit(sandbox).await;
    process.ready().await?;
    let processor = process.processor_time()?;
    let (began, answered, answer) = process.invoke(event).await?;
    let ready = process.ready().await?;
    if warm {
        costs.answers.push(answered - began);
        costs.invocations.push(ready - began);
        costs.processor_of_invocations += process.processor_time()? - processor;
    }
    check(&answer)
}

/// How many requests WeChat and DynamoDB have had so far.
fn asked(sandbox: &Sandbox) -> (usize, usize) {
    (sandbox.wechat.requests().len(), sandbox.dynamodb.requests().len())
}

/// What is fast because it failed is not measured.
fn check(answer: &Value) -> Result<(), Box<dyn Error>> {
    match answer["statusCode"].as_u64() {
        Some(200 | 303) => Ok(()),
        _ => Err(format!("the function should answer 200 or 303, but says {answer}").into()),
    }
}

/// A merchant who has just agreed comes back from WeChat, to a service's launch.
async fn visit(sandbox: &Sandbox) -> Value {
    let appid = sandbox.wechat.add_account(Account::official_account("Tea"));
    let code = sandbox.wechat.authorize(&appid, &[1, 2, 3, 4, 11, 15, 24]);
    let launch = format!("{:0>32}", appid.trim_start_matches("wx"));
    sandbox.put_launch(&launch, "customer").await;
    let request = HttpRequest::get(&format!("{}&launch={launch}", gateway::redirect(&code)))
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
