//! The table that is printed.

use std::time::Duration;

const START_BUDGET: f64 = 2.0;
const MEMORY_BUDGET: u64 = 12_000_000;
const SIZE_BUDGET: u64 = 8_000_000;

/// What one function takes.
#[derive(Default)]
pub(crate) struct Costs {
    /// From each start to its first poll.
    pub(crate) first_poll: Vec<Duration>,
    /// The processor time of each start up to its first poll.
    pub(crate) processor_of_start: Vec<Duration>,
    /// From each start to its first answer.
    pub(crate) first_answer: Vec<Duration>,
    /// Each warm invocation.
    pub(crate) invocations: Vec<Duration>,
    /// The processor time of all warm invocations.
    pub(crate) processor_of_invocations: Duration,
    /// Bytes.
    pub(crate) peak_memory: u64,
    /// Bytes.
    pub(crate) size: u64,
}

/// Prints what both take and whether that is within the budget. A budget that is missed fails nothing: a
/// measurement on a shared machine is no test.
pub(crate) fn print(callback: &Costs, empty: &Costs) {
    println!("{:<32}{:>10}{:>10}{:>9}", "", "callback", "empty", "ratio");
    let rows: [(&str, Figure, Option<Budget>); 8] = [
        (
            "start to first poll, ms",
            |costs| percentile(&costs.first_poll, 50),
            Some(Budget::Ratio(START_BUDGET)),
        ),
        ("CPU of that, ms", |costs| percentile(&costs.processor_of_start, 50), None),
        ("start to first answer, ms", |costs| percentile(&costs.first_answer, 50), None),
        ("warm invocation, p50, ms", |costs| percentile(&costs.invocations, 50), None),
        ("warm invocation, p99, ms", |costs| percentile(&costs.invocations, 99), None),
        ("CPU per invocation, ms", per_invocation, None),
        (
            "peak memory, MB",
            |costs| megabytes(costs.peak_memory),
            Some(Budget::Most(megabytes(MEMORY_BUDGET))),
        ),
        ("size on disk, MB", |costs| megabytes(costs.size), Some(Budget::Most(megabytes(SIZE_BUDGET)))),
    ];
    for (name, figure, budget) in rows {
        let (ours, least) = (figure(callback), figure(empty));
        let verdict = budget.map(|budget| budget.verdict(ours, ours / least)).unwrap_or_default();
        println!("{name:<32}{ours:>10.3}{least:>10.3}{:>8.2}x{verdict}", ours / least);
    }
}

/// One line's figure out of all that was measured.
type Figure = fn(&Costs) -> f64;

/// What a figure may be.
enum Budget {
    /// So many times the empty function's.
    Ratio(f64),
    /// No more than this.
    Most(f64),
}

impl Budget {
    fn verdict(&self, figure: f64, ratio: f64) -> String {
        let (kept, limit) = match self {
            Self::Ratio(limit) => (ratio <= *limit, format!("{limit}x")),
            Self::Most(limit) => (figure <= *limit, limit.to_string()),
        };
        format!("   at most {limit}: {}", if kept { "ok" } else { "OVER" })
    }
}

/// In milliseconds.
fn percentile(durations: &[Duration], percent: usize) -> f64 {
    let mut sorted = durations.to_vec();
    sorted.sort_unstable();
    let place = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(place).map_or(0.0, |duration| duration.as_secs_f64() * 1000.0)
}

fn per_invocation(costs: &Costs) -> f64 {
    costs.processor_of_invocations.as_secs_f64() * 1000.0 / costs.invocations.len() as f64
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
