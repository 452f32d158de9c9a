//! Plays schedules until something breaks.
//!
//! - `cargo run --profile schedules -p schedules`: every single fault, 500 pairs and 1,000 seeds, as the gate does
//! - `-- --seeds N [--seed S]`: N random schedules, from seed S on
//! - `-- --pairs all`: the exchange with every pair of faults; `--pairs N` with N of them
//! - `-- --singles [--only TEXT]`: every single fault; only those whose name contains a text
//! - `--log` besides: what the functions logged in each schedule that breaks something

use std::error::Error;
use std::process::ExitCode;
use std::time::Instant;

use schedules::campaign::{self, Job};
use schedules::report::report;

/// How many failures of each invariant are made smaller.
const SHRUNK: usize = 12;

struct Wish {
    singles: bool,
    /// None is no pairs; the inner none all of them.
    pairs: Option<Option<usize>>,
    seeds: u64,
    seed: u64,
    only: String,
    log: bool,
    /// What the gate plays.
    gate: bool,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let wish = wish(std::env::args().skip(1))?;
    let mut found = Vec::new();
    if wish.singles {
        let mut jobs = campaign::singles();
        jobs.retain(|job| job.name.contains(&wish.only));
        found.extend(run("single faults", &jobs));
    }
    if let Some(sampled) = wish.pairs {
        found.extend(run("pairs of faults", &campaign::pairs(sampled, wish.seed)));
    }
    if wish.seeds > 0 {
        found.extend(run("seeds", &campaign::seeds(wish.seed, wish.seeds)));
    }
    if wish.gate {
        found.extend(run("seeds that have found a fault", &campaign::once_broken()));
    }
    if found.is_empty() {
        println!("every invariant holds");
        return Ok(ExitCode::SUCCESS);
    }
    println!("{}", report(&found, SHRUNK, wish.log));
    Ok(ExitCode::FAILURE)
}

fn run(what: &str, jobs: &[Job]) -> Vec<campaign::Failure> {
    let began = Instant::now();
    println!("{}: {what}", jobs.len());
    let failures = campaign::run(jobs, |done, failed| {
        if done.is_multiple_of(100) {
            println!("  {done} played, {failed} failed, {} s", began.elapsed().as_secs());
        }
    });
    println!("  {} played, {} failed, {} s", jobs.len(), failures.len(), began.elapsed().as_secs());
    failures
}

fn wish(mut arguments: impl Iterator<Item = String>) -> Result<Wish, Box<dyn Error>> {
    let mut wish =
        Wish { singles: false, pairs: None, seeds: 0, seed: 1, only: String::new(), log: false, gate: true };
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} wants a value"));
        match argument.as_str() {
            "--singles" => (wish.singles, wish.gate) = (true, false),
            "--pairs" => {
                let value = value()?;
                wish.pairs = Some(if value == "all" { None } else { Some(value.parse()?) });
                wish.gate = false;
            }
            "--seeds" => (wish.seeds, wish.gate) = (value()?.parse()?, false),
            "--only" => wish.only = value()?,
            "--log" => wish.log = true,
            "--seed" => wish.seed = value()?.parse()?,
            other => {
                return Err(format!(
                    "{other} is unknown: --singles, --only TEXT, --log, --pairs all|N, --seeds N, --seed S"
                )
                .into());
            }
        }
    }
    if wish.gate {
        wish = Wish { singles: true, pairs: Some(Some(500)), seeds: 1000, ..wish };
    }
    Ok(wish)
}
