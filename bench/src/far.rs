//! Every function that somebody waits for, with 2 ms to DynamoDB and 100 ms to WeChat, both behind TLS 1.3: cold and warm, and
//! how many requests are made until the answer, which are made one after the other.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::time::Duration;

use sandbox::process::{Artifact, Process};
use sandbox::{Sandbox, template};

use crate::artifact::build;
use crate::costs::{Costs, median, percentile};
use crate::distance::Distance;
use crate::work::Work;

/// How far away the two are.
const TO_DYNAMODB: Duration = Duration::from_millis(2);
const TO_WECHAT: Duration = Duration::from_millis(100);

/// An odd number, so that the median is one of them.
const STARTS: usize = 11;

const INVOCATIONS: usize = 60;

/// A sandbox, and its servers as the functions find them: far away. The distances end with it.
pub(crate) struct Far {
    pub(crate) sandbox: Sandbox,
    variables: BTreeMap<String, String>,
    _distances: [Distance; 2],
}

/// A function, and what it costs.
struct Row {
    name: &'static str,
    work: Work,
    costs: Costs,
    /// How many requests WeChat and DynamoDB had until one warm answer.
    asked: (usize, usize),
}

impl Far {
    /// Starts all of it.
    pub(crate) async fn start() -> Result<Self, Box<dyn Error>> {
        let sandbox = Sandbox::start().await.with("PUBLIC_BASE_URL", "https://platform.example.com");
        let to_dynamodb = Distance::to(&sandbox.dynamodb.endpoint, TO_DYNAMODB).await?;
        let to_wechat = Distance::to(&sandbox.wechat.base_url, TO_WECHAT).await?;
        let far = sandbox
            .with("AWS_ENDPOINT_URL_DYNAMODB", &to_dynamodb.origin)
            .with("WECHAT_API_BASE_URL", &to_wechat.origin);
        Ok(Self { sandbox, variables: far.variables().clone(), _distances: [to_dynamodb, to_wechat] })
    }

    /// The artifact for the function of `handler`, from the binary of `far-function`.
    pub(crate) fn artifact(&self, binary: &Path, handler: &'static str) -> Artifact {
        Artifact {
            binary: binary.to_owned(),
            handler,
            variables: self.variables.clone(),
            timeout: template::timeout(&template::function(handler)),
            processor: None,
        }
    }
}

/// Measures and prints.
pub(crate) async fn run() -> Result<(), Box<dyn Error>> {
    let binary = build("far-function")?;
    let far = Far::start().await?;
    // Mints the component token, which every start then finds in the table.
    let redirect = far.artifact(&binary, Work::Redirect.handler());
    Costs::default().start(&far.sandbox, &redirect, Work::Redirect).await?;
    let mut rows = Work::ALL.map(|(name, work)| Row { name, work, costs: Costs::default(), asked: (0, 0) });
    for count in 1..=STARTS {
        eprint!("\rstarts: {count}/{STARTS}");
        for Row { work, costs, .. } in &mut rows {
            costs.start(&far.sandbox, &far.artifact(&binary, work.handler()), *work).await?;
        }
    }
    eprintln!();
    for Row { name, work, costs, asked } in &mut rows {
        eprintln!("invocations: {name}");
        let mut process = Process::start(&far.artifact(&binary, work.handler())).await?;
        for _ in 1..=INVOCATIONS {
            costs.invoke(&far.sandbox, &mut process, *work).await?;
        }
        let event = work.event(&far.sandbox).await?;
        let before = count(&far.sandbox);
        let (_, _, answer) = process.invoke(event).await?;
        let after = count(&far.sandbox);
        *asked = (after.0 - before.0, after.1 - before.1);
        work.check(&answer)?;
    }
    print(&rows);
    Ok(())
}

/// How many requests WeChat and DynamoDB have had so far.
fn count(sandbox: &Sandbox) -> (usize, usize) {
    (sandbox.wechat.requests().len(), sandbox.dynamodb.requests().len())
}

fn print(rows: &[Row]) {
    println!(
        "{:<26}{:>10}{:>10}{:>10}{:>10}{:>10}{:>9}{:>10}",
        "TLS, 2 and 100 ms away, ms", "cold", "warm p50", "warm p99", "busy p50", "CPU", "WeChat", "DynamoDB"
    );
    for Row { name, work, costs, asked } in rows {
        print!("{name:<26}{:>10.1}", median(&costs.first_answer));
        print!("{:>10.1}{:>10.1}", median(&costs.answers), percentile(&costs.answers, 99));
        print!("{:>10.1}{:>10.2}", median(&costs.invocations), costs.processor_per_invocation());
        print!("{:>9}{:>10}", asked.0, asked.1);
        // WeChat hangs up after that, and pushes again.
        let slowest = median(&costs.first_answer).max(percentile(&costs.answers, 99));
        println!(
            "{}",
            match work {
                Work::Authorization | Work::Message if slowest < 5000.0 => "   at most 5000: ok",
                Work::Authorization | Work::Message => "   at most 5000: OVER",
                _ => "",
            }
        );
    }
}
