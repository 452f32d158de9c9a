//! Many schedules, on all processors.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::play::play;
use crate::random;
use crate::scenario::{self, Point, Scenario};
use crate::schedule::Schedule;
use crate::wire::scatter;

/// The futures of unoptimized functions are large, and a world polls them inside one another.
const STACK: usize = 64 << 20;

/// A schedule and where it comes from.
#[derive(Clone, Debug)]
pub struct Job {
    /// Where it comes from.
    pub name: String,
    /// The story whose requests meet faults; empty if there is none.
    pub story: &'static str,
    /// Whether it is that story without a fault.
    pub plain: bool,
    /// The schedule.
    pub schedule: Schedule,
}

/// A schedule that broke something.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The schedule.
    pub job: Job,
    /// The invariants that do not hold.
    pub broken: Vec<String>,
}

/// Every story without faults, and with each single fault.
pub fn singles() -> Vec<Job> {
    let scenarios = scenario::all();
    let points = Mutex::new(Vec::new());
    on_all_processors(scenarios.len(), |index| {
        let found = scenarios[index].points();
        points.lock().expect("not poisoned").push((index, found));
    });
    let mut points = points.into_inner().expect("not poisoned");
    points.sort_by_key(|(index, _)| *index);
    let jobs = scenarios.iter().zip(points).flat_map(|(scenario, (_, points))| {
        let plain = Job {
            name: format!("{}: without a fault", scenario.name),
            story: scenario.name,
            plain: true,
            schedule: scenario.schedule.clone(),
        };
        let faulty = points.into_iter().map(|point| Job {
            name: format!("{}: {}", scenario.name, words(&point)),
            story: scenario.name,
            plain: false,
            schedule: scenario.with(&[&point]),
        });
        std::iter::once(plain).chain(faulty).collect::<Vec<_>>()
    });
    jobs.collect()
}

/// The exchange with two faults: all pairs, or this many of them, chosen by `seed`.
pub fn pairs(sampled: Option<usize>, seed: u64) -> Vec<Job> {
    let scenarios = scenario::all();
    let exchange: &Scenario = &scenarios[0];
    let points = exchange.points();
    let mut pairs: Vec<(&Point, &Point)> = points
        .iter()
        .flat_map(|first| points.iter().map(move |second| (first, second)))
        .filter(|(first, second)| first.skip < second.skip)
        .collect();
    if let Some(count) = sampled {
        fastrand::Rng::with_seed(scatter(seed)).shuffle(&mut pairs);
        pairs.truncate(count);
    }
    let job = |(first, second): (&Point, &Point)| Job {
        name: format!("{}: {}, and {}", exchange.name, words(first), words(second)),
        story: exchange.name,
        plain: false,
        schedule: exchange.with(&[first, second]),
    };
    pairs.into_iter().map(job).collect()
}

/// The schedules of `count` seeds from `first` on.
pub fn seeds(first: u64, count: u64) -> Vec<Job> {
    let schedule = random::schedule;
    let job = |seed| Job { name: format!("seed {seed}"), story: "", plain: false, schedule: schedule(seed) };
    (first..first + count).map(job).collect()
}

/// The schedules that have found a fault and are beyond the seeds that the gate plays.
pub fn once_broken() -> Vec<Job> {
    const SEEDS: [u64; 17] = [
        2297, 2555, 4151, 4623, 4804, 4891, 5829, 5906, 6040, 8128, 8368, 20098, 21341, 21479, 22372, 22475,
        23660,
    ];
    SEEDS.into_iter().flat_map(|seed| seeds(seed, 1)).collect()
}

fn words(point: &Point) -> String {
    format!("request {} ({} {}) {}", point.skip + 1, point.side, point.label, point.fault)
}

/// Plays all of them. `progress` is told how many are done and how many of these failed.
pub fn run(jobs: &[Job], progress: impl Fn(usize, usize) + Sync) -> Vec<Failure> {
    let failures = Mutex::new(Vec::new());
    let done = AtomicUsize::new(0);
    on_all_processors(jobs.len(), |index| {
        let broken = broken(&jobs[index].schedule);
        let mut failures = failures.lock().expect("not poisoned");
        if !broken.is_empty() {
            failures.push((index, Failure { job: jobs[index].clone(), broken }));
        }
        progress(done.fetch_add(1, Ordering::SeqCst) + 1, failures.len());
    });
    let mut failures = failures.into_inner().expect("not poisoned");
    failures.sort_by_key(|(index, _)| *index);
    failures.into_iter().map(|(_, failure)| failure).collect()
}

/// What a schedule breaks. A panic breaks it, too.
pub fn broken(schedule: &Schedule) -> Vec<String> {
    match catch_unwind(AssertUnwindSafe(|| play(schedule).broken)) {
        Ok(broken) => broken,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            vec![format!("something panicked: {}", text.unwrap_or_default())]
        }
    }
}

/// Does `work` for each index below `count`.
pub fn on_all_processors(count: usize, work: impl Fn(usize) + Sync) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
            let worker = || {
                loop {
                    let index = next.fetch_add(1, Ordering::SeqCst);
                    if index >= count {
                        return;
                    }
                    work(index);
                }
            };
            thread::Builder::new().stack_size(STACK).spawn_scoped(scope, worker).expect("a thread starts");
        }
    });
}
