//! The table that is printed.

use std::fmt;

use super::Candidate;
use crate::costs::{median, percentile};
use crate::work::Work;

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
    print!("{:<28}", "");
    all.iter().for_each(|candidate| print!("{:>10}{:>8}", candidate.name, ""));
    println!();
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
        print!("{name:<28}");
        let empty = figure(&all[0]);
        let mut over = Vec::new();
        for candidate in all {
            let figure = figure(candidate);
            print!("{figure:>10.3}{:>7.2}x", figure / empty);
            if candidate.work != Work::Nothing && budget.is_some_and(|budget| !budget.is_kept(figure, empty))
            {
                over.push(candidate.name);
            }
        }
        match budget {
            None => println!(),
            Some(budget) if over.is_empty() => println!("   {budget}: ok"),
            Some(budget) => println!("   {budget}: {} over", over.join(", ")),
        }
    }
}

impl Budget {
    fn is_kept(self, figure: f64, empty: f64) -> bool {
        match self {
            Self::Ratio(limit) => figure <= empty * limit,
            Self::Most(limit) => figure <= limit,
        }
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ratio(limit) => write!(formatter, "at most {limit}x"),
            Self::Most(limit) => write!(formatter, "at most {limit}"),
        }
    }
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
