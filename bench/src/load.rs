//! A busy minute on one processor: so many redirects a second, whether or not the ones before are answered. As Lambda does,
//! each goes to an instance that has nothing to do, or to a new one.
//!
//! The functions are kept on the first processor. The servers and whoever sends the redirects may use every one, that one,
//! too, so what an answer takes is an upper bound.

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use sandbox::process::{Artifact, Process, own_processor_time};
use tokio::task::JoinSet;
use tokio::time::interval;

use crate::artifact::build;
use crate::costs::{median, percentile};
use crate::far::Far;
use crate::work::Work;

/// Redirects a second, half of them to each of two platforms: the embedded DynamoDB does one request at a time.
const RATE: u32 = 200;
const OF_EACH: u32 = RATE / 2;

/// For how long: the empty function answers for less.
const MINUTE: Duration = Duration::from_secs(60);
const FOR_EMPTY: Duration = Duration::from_secs(15);

/// What a merchant does not mind.
const PATIENCE: f64 = 1000.0;

/// The outcome of one load.
#[derive(Default)]
struct Outcome {
    /// Every answer, cold ones from the start of their process on.
    answers: Vec<Duration>,
    failed: usize,
    /// How many processes there were in the end.
    instances: usize,
    /// The processor time of all of them, with their starts.
    processor: Duration,
    /// That of this process, in which the servers of all platforms are.
    servers: Duration,
    time: Duration,
}

/// Measures and prints.
pub(crate) async fn run() -> Result<(), Box<dyn Error>> {
    let (empty, visits) = (build("empty-function")?, build("far-function")?);
    let (one, other) = (Far::start().await?, Far::start().await?);
    let empty = loads([&one, &other], &empty, Work::Nothing, FOR_EMPTY).await?;
    let visits = loads([&one, &other], &visits, Work::Redirect, MINUTE).await?;
    print(&[("empty", empty), ("visits", visits)]);
    Ok(())
}

async fn loads(
    [one, other]: [&Far; 2],
    binary: &Path,
    work: Work,
    time: Duration,
) -> Result<Outcome, Box<dyn Error>> {
    let servers = own_processor_time()?;
    let (mut all, more) = tokio::try_join!(load(one, binary, work, time), load(other, binary, work, time))?;
    all.answers.extend(more.answers);
    all.failed += more.failed;
    all.instances += more.instances;
    all.processor += more.processor;
    all.servers = own_processor_time()? - servers;
    Ok(all)
}

async fn load(far: &Far, binary: &Path, work: Work, time: Duration) -> Result<Outcome, Box<dyn Error>> {
    let artifact = Artifact { processor: Some(0), ..far.artifact(binary, work.handler()) };
    let mut idle: Vec<Process> = Vec::new();
    let mut busy: JoinSet<(Process, Result<Duration, String>)> = JoinSet::new();
    let mut answers = Vec::new();
    let mut failed = 0;
    let mut took = |(process, answer): (Process, Result<Duration, String>), idle: &mut Vec<Process>| {
        match answer {
            Ok(answer) => answers.push(answer),
            Err(error) => {
                failed += 1;
                eprintln!("{error}");
            }
        }
        idle.push(process);
    };
    let began = Instant::now();
    let mut ticks = interval(Duration::from_secs(1) / OF_EACH);
    let count = OF_EACH * time.as_secs() as u32;
    for number in 1..=count {
        ticks.tick().await;
        while let Some(done) = busy.try_join_next() {
            took(done?, &mut idle);
        }
        let event = work.event(&far.sandbox).await?;
        let (process, since) = match idle.pop() {
            Some(process) => (process, Instant::now()),
            None => {
                let process = Process::start(&artifact).await?;
                let started = process.started();
                (process, started)
            }
        };
        busy.spawn(answer(process, since, work, event));
        if number % OF_EACH == 0 {
            eprint!("\r{}: {} s of {} s", artifact.handler, number / OF_EACH, time.as_secs());
        }
    }
    eprintln!();
    while let Some(done) = busy.join_next().await {
        took(done?, &mut idle);
    }
    let time = began.elapsed();
    let processor = idle.iter().map(Process::processor_time).sum::<std::io::Result<Duration>>()?;
    Ok(Outcome { answers, failed, instances: idle.len(), processor, time, ..Outcome::default() })
}

/// One redirect, and what its process does after the answer.
async fn answer(
    mut process: Process,
    since: Instant,
    work: Work,
    event: serde_json::Value,
) -> (Process, Result<Duration, String>) {
    let answering = async {
        let (_, answered, answer) = process.invoke(event).await.map_err(|error| error.to_string())?;
        process.ready().await.map_err(|error| error.to_string())?;
        work.check(&answer).map_err(|error| error.to_string())?;
        Ok(answered - since)
    };
    let answer = answering.await;
    (process, answer)
}

fn print(all: &[(&str, Outcome)]) {
    type Figure = fn(&Outcome) -> f64;
    let rows: [(&str, Figure); 8] = [
        ("answered", |outcome| outcome.answers.len() as f64),
        ("failed", |outcome| outcome.failed as f64),
        ("instances", |outcome| outcome.instances as f64),
        ("answer, p50, ms", |outcome| median(&outcome.answers)),
        ("answer, p99, ms", |outcome| percentile(&outcome.answers, 99)),
        ("CPU per answer, with starts, ms", |outcome| {
            outcome.processor.as_secs_f64() * 1000.0 / outcome.answers.len() as f64
        }),
        ("processors that the functions took", |outcome| {
            outcome.processor.as_secs_f64() / outcome.time.as_secs_f64()
        }),
        ("processors that the servers took", |outcome| {
            outcome.servers.as_secs_f64() / outcome.time.as_secs_f64()
        }),
    ];
    print!("{:<44}", format!("{RATE} redirects a second, one processor"));
    all.iter().for_each(|(name, _)| print!("{name:>10}"));
    println!("{:>9}", "ratio");
    for (name, figure) in rows {
        print!("{name:<44}");
        let figures: Vec<f64> = all.iter().map(|(_, outcome)| figure(outcome)).collect();
        figures.iter().for_each(|figure| print!("{figure:>10.2}"));
        let ratio = figures[1] / figures[0];
        println!("{}", if ratio.is_finite() { format!("{ratio:>8.2}x") } else { String::new() });
    }
    let (_, visits) = &all[1];
    let kept = visits.failed == 0 && percentile(&visits.answers, 99) <= PATIENCE;
    println!("none fails, p99 at most {PATIENCE} ms: {}", if kept { "ok" } else { "OVER" });
}
