//! The table that is printed.

use super::Candidate;
use crate::costs::{median, percentile};

const START_BUDGET: f64 = 1.3;
const MEMORY_BUDGET: u64 = 12_000_000;
const SIZE_BUDGET: u64 = 8_000_000;

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
    print!("{:<34}", "");
    all.iter().for_each(|candidate| print!("{:>10}", candidate.name));
    println!("{:>9}", "ratio");
    let rows: [Row; 8] = [
        ("start to first poll, ms", |c| median(&c.costs.first_poll), Some(Budget::Ratio(START_BUDGET))),
        ("CPU of that, ms", |c| median(&c.costs.processor_of_start), None),
        ("start to first answer, ms", |c| median(&c.costs.first_answer), None),
        ("warm answer, p50, ms", |c| median(&c.costs.answers), None),
        ("warm answer, p99, ms", |c| percentile(&c.costs.answers, 99), None),
        ("CPU per invocation, ms", |c| c.costs.processor_per_invocation(), None),
        ("peak memory, MB", |c| megabytes(c.costs.peak_memory), Some(Budget::Most(megabytes(MEMORY_BUDGET)))),
        ("size on disk, MB", |c| megabytes(c.size), Some(Budget::Most(megabytes(SIZE_BUDGET)))),
    ];
    for (name, figure, budget) in rows {
        let figures: Vec<f64> = all.iter().map(figure).collect();
        print!("{name:<34}");
        figures.iter().for_each(|figure| print!("{figure:>10.3}"));
        let (empty, ours) = (figures[0], figures[1]);
        print!("{:>8.2}x", ours / empty);
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

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
