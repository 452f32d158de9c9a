//! A sample of what `cargo run --profile schedules -p schedules` plays whole: this is compiled without optimization, and slow.

use schedules::campaign::{self, Job};
use schedules::report::report;

/// One in this many of the single faults.
const EACH: usize = 16;

/// How many pairs of faults and how many seeds.
const PAIRS: usize = 40;
const SEEDS: u64 = 25;

/// How many failures of each invariant are made smaller.
const SHRUNK: usize = 3;

#[test]
fn a_sample_of_the_schedules_leaves_the_invariants_whole() {
    let singles = campaign::singles().into_iter().step_by(EACH);
    let jobs: Vec<Job> =
        singles.chain(campaign::pairs(Some(PAIRS), 1)).chain(campaign::seeds(1, SEEDS)).collect();
    let failures = campaign::run(&jobs, |_, _| {});
    assert!(
        failures.is_empty(),
        "{} of {} schedules fail{}",
        failures.len(),
        jobs.len(),
        report(&failures, SHRUNK, false)
    );
}
