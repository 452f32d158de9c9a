//! One process of `refresh`, a table of due records, and what the runs take.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use sandbox::{Sandbox, template};
use serde_json::{Value, json};

use super::dynamodb::{DynamoDb, Tally};
use super::records;
use super::wechat::WeChat;
use sandbox::process::{Artifact, Process, own_processor_time};

const IDLE_RUNS: u32 = 5;

/// Everything that a measurement needs; it ends with this value.
pub(crate) struct Bench {
    dynamodb: DynamoDb,
    _wechat: WeChat,
    process: Process,
}

/// What keeping `size` authorizers fresh takes.
#[derive(Default)]
pub(crate) struct Costs {
    pub(crate) size: usize,
    /// The runs until nothing was due, and how long they took together.
    pub(crate) runs: u32,
    pub(crate) time: Duration,
    /// The function's own processor time for them.
    pub(crate) processor: Duration,
    /// What the simulated WeChat and DynamoDB took of the same processors meanwhile.
    pub(crate) simulators: Duration,
    pub(crate) refreshed: usize,
    pub(crate) first_run: FirstRun,
    pub(crate) dynamodb: Tally,
    /// The most memory that was resident after all runs, in bytes.
    pub(crate) peak_memory: u64,
    /// One run in which nothing is due, on average.
    pub(crate) idle_time: Duration,
    pub(crate) idle_processor: Duration,
    pub(crate) idle: Tally,
}

/// What one run does in the time it has.
#[derive(Default)]
pub(crate) struct FirstRun {
    pub(crate) refreshed: usize,
    pub(crate) time: Duration,
    /// There was more to do than it could.
    pub(crate) is_full: bool,
}

impl Costs {
    /// For this many authorizers, nothing measured yet.
    pub(crate) fn of(size: usize) -> Self {
        Self { size, ..Self::default() }
    }
}

impl Bench {
    /// A process that has done nothing yet, `size` records that are due, and a WeChat that takes `latency`.
    pub(crate) async fn start(binary: &Path, size: usize, latency: Duration) -> Result<Self, Box<dyn Error>> {
        let sandbox = Sandbox::start().await;
        let wechat = WeChat::start(latency).await?;
        records::fill_with_due(&sandbox, size).await?;
        let dynamodb = DynamoDb::start(&sandbox).await?;
        let sandbox = sandbox
            .with("AWS_ENDPOINT_URL_DYNAMODB", &dynamodb.endpoint)
            .with("WECHAT_API_BASE_URL", &wechat.base_url);
        let function = Artifact {
            binary: binary.to_owned(),
            handler: "refresh",
            variables: sandbox.variables().clone(),
            timeout: template::timeout("RefreshFunction"),
            processor: None,
        };
        let mut process = Process::start(&function).await?;
        process.ready().await?;
        Ok(Self { dynamodb, _wechat: wechat, process })
    }

    /// One run, that finds something due. Returns how much it leaves.
    pub(crate) async fn run(&mut self, costs: &mut Costs) -> Result<u64, Box<dyn Error>> {
        let before = own_processor_time()?;
        let (summary, time, processor) = self.invoke().await?;
        costs.simulators += own_processor_time()? - before;
        let refreshed = summary["refreshed"].as_u64().unwrap_or_default() as usize;
        let remaining = summary["remaining"].as_u64().unwrap_or_default();
        // What is fast because it failed is not measured.
        if refreshed == 0 || summary["failed"] != 0 || self.dynamodb.refused() {
            return Err(format!("the run should refresh tokens, but says {summary}").into());
        }
        if costs.runs == 0 {
            costs.first_run = FirstRun { refreshed, time, is_full: remaining > 0 };
        }
        costs.runs += 1;
        costs.time += time;
        costs.processor += processor;
        costs.refreshed += refreshed;
        costs.dynamodb += self.dynamodb.take();
        costs.peak_memory = self.process.peak_memory()?;
        eprintln!("run {}: {refreshed} refreshed in {:.1} s", costs.runs, time.as_secs_f64());
        Ok(remaining)
    }

    /// Runs in which nothing is due.
    pub(crate) async fn idle_runs(&mut self, costs: &mut Costs) -> Result<(), Box<dyn Error>> {
        for _ in 0..IDLE_RUNS {
            let (summary, time, processor) = self.invoke().await?;
            if summary["refreshed"] != 0 || costs.refreshed != costs.size {
                return Err(format!("all should be fresh after {} refreshes", costs.refreshed).into());
            }
            costs.idle_time += time / IDLE_RUNS;
            costs.idle_processor += processor / IDLE_RUNS;
        }
        let asked = self.dynamodb.take();
        costs.idle.requests = asked.requests / f64::from(IDLE_RUNS);
        costs.idle.read_units = asked.read_units / f64::from(IDLE_RUNS);
        costs.peak_memory = self.process.peak_memory()?;
        Ok(())
    }

    async fn invoke(&mut self) -> Result<(Value, Duration, Duration), Box<dyn Error>> {
        let before = self.process.processor_time()?;
        let (began, answered, summary) = self.process.invoke(json!({})).await?;
        self.process.ready().await?;
        Ok((summary, answered - began, self.process.processor_time()? - before))
    }
}
