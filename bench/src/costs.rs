//! What one function takes, start by start and invocation by invocation.

use std::error::Error;
use std::time::Duration;

use sandbox::Sandbox;
use sandbox::process::{Artifact, Process};

use crate::work::Work;

/// The first ones open connections and fill caches.
const WARM_AFTER: usize = 20;

/// What one function takes.
#[derive(Default)]
pub(crate) struct Costs {
    /// From each start to its first poll.
    pub(crate) first_poll: Vec<Duration>,
    /// The processor time of each start up to its first poll.
    pub(crate) processor_of_start: Vec<Duration>,
    /// From each start to its first answer.
    pub(crate) first_answer: Vec<Duration>,
    /// Each warm invocation up to its answer.
    pub(crate) answers: Vec<Duration>,
    /// Each warm invocation until it asks for the next event.
    pub(crate) invocations: Vec<Duration>,
    /// The processor time of all warm invocations.
    pub(crate) processor_of_invocations: Duration,
    /// How many invocations there were, warm or not.
    pub(crate) count: usize,
    /// Bytes.
    pub(crate) peak_memory: u64,
}

impl Costs {
    /// One start, up to the first answer.
    pub(crate) async fn start(
        &mut self,
        sandbox: &Sandbox,
        artifact: &Artifact,
        work: Work,
    ) -> Result<(), Box<dyn Error>> {
        let event = work.event(sandbox).await?;
        let mut process = Process::start(artifact).await?;
        self.first_poll.push(process.first_poll().await?);
        self.processor_of_start.push(process.processor_time()?);
        let (_, answered, answer) = process.invoke(event).await?;
        self.first_answer.push(answered - process.started());
        work.check(&answer)
    }

    /// One invocation of a process that goes on living.
    pub(crate) async fn invoke(
        &mut self,
        sandbox: &Sandbox,
        process: &mut Process,
        work: Work,
    ) -> Result<(), Box<dyn Error>> {
        let event = work.event(sandbox).await?;
        process.ready().await?;
        let processor = process.processor_time()?;
        let (began, answered, answer) = process.invoke(event).await?;
        let ready = process.ready().await?;
        self.count += 1;
        if self.count > WARM_AFTER {
            self.answers.push(answered - began);
            self.invocations.push(ready - began);
            self.processor_of_invocations += process.processor_time()? - processor;
        }
        work.check(&answer)
    }

    /// In milliseconds.
    pub(crate) fn processor_per_invocation(&self) -> f64 {
        self.processor_of_invocations.as_secs_f64() * 1000.0 / self.answers.len() as f64
    }
}

/// In milliseconds.
pub(crate) fn median(durations: &[Duration]) -> f64 {
    percentile(durations, 50)
}

/// In milliseconds.
pub(crate) fn percentile(durations: &[Duration], percent: usize) -> f64 {
    let mut sorted = durations.to_vec();
    sorted.sort_unstable();
    let place = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(place).map_or(0.0, |duration| duration.as_secs_f64() * 1000.0)
}
