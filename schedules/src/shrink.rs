//! The smallest part of a schedule that still fails.

use crate::schedule::Schedule;

/// Removes steps, many at a time and then one by one, while the rest still `fails`.
pub fn shrink(schedule: &Schedule, mut fails: impl FnMut(&Schedule) -> bool) -> Schedule {
    let mut smallest = schedule.clone();
    let mut attempt = |candidate: Schedule, smallest: &mut Schedule| {
        let better = candidate != *smallest && fails(&candidate);
        if better {
            *smallest = candidate;
        }
        better
    };
    let mut chunk = smallest.steps.len().div_ceil(2).max(1);
    loop {
        let mut at = 0;
        let mut removed = false;
        while at < smallest.steps.len() {
            let mut candidate = smallest.clone();
            candidate.steps.drain(at..(at + chunk).min(smallest.steps.len()));
            if attempt(candidate, &mut smallest) {
                removed = true;
            } else {
                at += chunk;
            }
        }
        if chunk > 1 {
            chunk = chunk.div_ceil(2);
        } else if !removed {
            break;
        }
    }
    for simpler in [
        Schedule { ahead: 0, ..smallest.clone() },
        Schedule { minutes: false, ..smallest.clone() },
        Schedule { ahead: 0, minutes: false, ..smallest.clone() },
        Schedule { warm: true, ..smallest.clone() },
    ] {
        let simpler = Schedule {
            ahead: simpler.ahead,
            minutes: simpler.minutes,
            warm: simpler.warm,
            ..smallest.clone()
        };
        attempt(simpler, &mut smallest);
    }
    smallest
}
