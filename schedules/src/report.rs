//! What a campaign found, in words.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::mem::discriminant;
use std::sync::Mutex;

use crate::campaign::{Failure, broken, on_all_processors};
use crate::log;
use crate::schedule::{Schedule, What};
use crate::shrink::shrink;

/// How many of the other failures are named.
const NAMED: usize = 20;

/// A failure with the smallest schedule that shows it.
struct Small {
    invariant: String,
    names: Vec<String>,
    schedule: Schedule,
    log: String,
}

/// All failures, those of one kind together, each kind with its smallest schedule. At most `shrunk` failures of each
/// invariant are made smaller. With what the functions logged, if `logged`.
pub fn report(failures: &[Failure], shrunk: usize, logged: bool) -> String {
    let mut by_invariant: BTreeMap<&str, Vec<&Failure>> = BTreeMap::new();
    for failure in failures {
        for invariant in &failure.broken {
            by_invariant.entry(invariant).or_default().push(failure);
        }
    }
    let mut text = String::new();
    for (invariant, mut failures) in by_invariant {
        let _ = writeln!(text, "\n== {invariant}: {} schedules", failures.len());
        // A story that fails by itself does so with any fault.
        let plain: BTreeSet<_> =
            failures.iter().filter(|failure| failure.job.plain).map(|failure| failure.job.story).collect();
        failures.retain(|failure| failure.job.plain || !plain.contains(failure.job.story));
        // What is small already says the most.
        failures.sort_by_key(|failure| failure.job.schedule.steps.len());
        for small in smallest(invariant, &failures[..failures.len().min(shrunk)]) {
            let _ = writeln!(text, "\n  -- {}", small.names.join("\n     "));
            let _ = writeln!(text, "{}\n     broken: {}", small.schedule, small.invariant);
            if logged {
                let _ = writeln!(text, "{}", small.log);
            }
        }
        for failure in failures.iter().skip(shrunk).take(NAMED) {
            let _ = writeln!(text, "  also {}", failure.job.name);
        }
    }
    text
}

/// The smallest schedules, one for each kind.
fn smallest(invariant: &str, failures: &[&Failure]) -> Vec<Small> {
    let found = Mutex::new(Vec::new());
    on_all_processors(failures.len(), |index| {
        let failure = failures[index];
        let still = |candidate: &Schedule| broken(candidate).iter().any(|broken| broken == invariant);
        let schedule = shrink(&failure.job.schedule, still);
        still(&schedule);
        found.lock().expect("not poisoned").push((index, schedule, log::text()));
    });
    let mut found = found.into_inner().expect("not poisoned");
    found.sort_by_key(|(index, schedule, _)| (schedule.steps.len(), *index));
    let mut smallest: Vec<Small> = Vec::new();
    for (index, schedule, log) in found {
        let name = failures[index].job.name.clone();
        match smallest.iter_mut().find(|small| is_alike(&small.schedule, &schedule)) {
            Some(small) if small.names.len() < 4 => small.names.push(name),
            Some(_) => {}
            None => {
                smallest.push(Small { invariant: invariant.to_owned(), names: vec![name], schedule, log })
            }
        }
    }
    smallest
}

/// Whether two schedules tell the same story: the same kinds of steps in the same order, and the same faults.
fn is_alike(one: &Schedule, other: &Schedule) -> bool {
    let alike = |(one, other): (&What, &What)| match (one, other) {
        (What::Fault(one), What::Fault(other)) => {
            discriminant(&one.fault) == discriminant(&other.fault) && one.of == other.of
        }
        _ => discriminant(one) == discriminant(other),
    };
    let steps = |schedule: &Schedule| schedule.steps.iter().map(|step| step.what.clone()).collect::<Vec<_>>();
    let (one, other) = (steps(one), steps(other));
    one.len() == other.len() && one.iter().zip(&other).all(alike)
}
