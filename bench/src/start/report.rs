//! The table that is printed.

use std::time::Duration;

use super::Candidate;

const START_BUDGET: f64 = 1.3;
const MEMORY_BUDGET: u64 = 12_000_000;
const SIZE_BUDGET: u64 = 8_000_000;

/// What one function takes.
#[derive(Default)]
pub(super) struct Costs {
    /// From each start to its first poll.
    pub(super) first_poll: Vec<Duration>,
    /// The processor time of each start up to its first poll.
    pub(super) processor_of_start: Vec<Duration>,
    /// From each start to its first answer.
    pub(super) first_answer: Vec<Duration>,
    /// Each warm invocation up to its answer.
    pub(super) answers: Vec<Duration>,
    /// Each warm invocation until it asks for the next event.
    pub(super) invocations: Vec<Duration>,
    /// The processor time of all warm invocations.
    pub(super) processor_of_invocations: Duration,
    /// How many requests WeChat and DynamoDB had until an answer.
    pub(super) asked: (usize, usize),
    /// Bytes.
    pub(super) peak_memory: u64,
    /// Bytes.
    pub(super) size: u64,
}

/// One line: its name, its figure, and what it may be at most as a ratio to the empty function's, or by itself.
type Row = (&'static str, fn(&Candidate) -> f64, Option<Budget>);

/// What a figure may be.
#[derive(Clone, Copy)]
enum Budget {
    /// This many times the empty function's.
    Ratio(f64),
    /// No more than this.
    Most(f64),
}

/// Prints what all of them take, and whether that is within the budget. A budget that is missed fails nothing: a
/// measurement on a shared machine is no test.
pub(super) fn print(all: &[Candidate]) {
    print!("{:<46}", "");
    all.iter().for_each(|candidate| print!("{:>10}", candidate.name));
    println!("{:>9}", "ratio");
    let rows: [Row; 15] = [
        ("start to first poll, ms", |c| median(&c.near.first_poll), Some(Budget::Ratio(START_BUDGET))),
        ("CPU of that, ms", |c| median(&c.near.processor_of_start), None),
        ("start to first answer, ms", |c| median(&c.near.first_answer), None),
        ("warm answer, p50, ms", |c| median(&c.near.answers), None),
        ("warm answer, p99, ms", |c| percentile(&c.near.answers, 99), None),
        ("CPU per invocation, ms", per_invocation, None),
        ("peak memory, MB", |c| megabytes(c.near.peak_memory), Some(Budget::Most(megabytes(MEMORY_BUDGET)))),
        ("size on disk, MB", |c| megabytes(c.near.size), Some(Budget::Most(megabytes(SIZE_BUDGET)))),
        ("2 and 100 ms away: start to first poll, ms", |c| median(&c.distant.first_poll), None),
        ("start to first answer, ms", |c| median(&c.distant.first_answer), None),
        ("warm answer, p50, ms", |c| median(&c.distant.answers), None),
        ("warm answer, p99, ms", |c| percentile(&c.distant.answers, 99), None),
        ("warm, until it takes the next event, p50, ms", |c| median(&c.distant.invocations), None),
        ("requests to WeChat until the answer", |c| c.distant.asked.0 as f64, Some(Budget::Most(1.0))),
        ("requests to DynamoDB until the answer", |c| c.distant.asked.1 as f64, Some(Budget::Most(3.0))),
    ];
    for (name, figure, budget) in rows {
        let figures: Vec<f64> = all.iter().map(figure).collect();
        print!("{name:<46}");
        figures.iter().for_each(|figure| print!("{figure:>10.3}"));
        let (empty, ours) = (figures[0], figures[1]);
        if empty > 0.0 {
            print!("{:>8.2}x", ours / empty);
        } else {
            print!("{:>9}", "");
        }
        println!("{}", budget.map(|budget| budget.verdict(ours, ours / empty)).unwrap_or_default());
    }
}

impl Budget {
    fn verdict(self, figure: f64, ratio: f64) -> String {
        let (kept, limit) = match self {
            Self::Ratio(limit) => (ratio <= limit, format!("{limit}x")),
            Self::Most(limit) => (figure <= limit, limit.to_string()),
        };
        format!("   at most {limit}: {}", if kept { "ok" } else { "OVER" })
    }
}

fn median(durations: &[Duration]) -> f64 {
    percentile(durations, 50)
}

/// In milliseconds.
fn percentile(durations: &[Duration], percent: usize) -> f64 {
    let mut sorted = durations.to_vec();
    sorted.sort_unstable();
    let place = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(place).map_or(0.0, |duration| duration.as_secs_f64() * 1000.0)
}

fn per_invocation(candidate: &Candidate) -> f64 {
    let costs = &candidate.near;
    costs.processor_of_invocations.as_secs_f64() * 1000.0 / costs.answers.len() as f64
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
