//! Keeping the tokens of N authorizers fresh: what `refresh` takes when all are due, when none is, and after an hour's outage.
//!
//! The simulated WeChat answers at once and keeps nothing; DynamoDB is the sandbox's embedded one, which does one
//! request at a time. Both run in this process, on the processors of the function, so the figures per second of
//! the function's own processor time are the ones that carry over.

mod dynamodb;
mod measure;
pub(crate) mod records;
mod report;
mod wechat;

use std::error::Error;
use std::time::Duration;

use crate::artifact::build;
use measure::{Bench, Costs};

const SIZES: [usize; 3] = [1_000, 10_000, 100_000];

/// What a call of WeChat takes from another continent.
const FAR: Duration = Duration::from_millis(150);

/// What comes due of 100,000 tokens in an hour in which nothing could be refreshed.
const DUE_AFTER_OUTAGE: usize = 57_000;

/// The sizes that the command line names.
pub(crate) fn sizes(arguments: &[String]) -> Result<Vec<usize>, Box<dyn Error>> {
    if arguments.is_empty() {
        return Ok(SIZES.into());
    }
    let size = |argument: &String| match argument.parse() {
        Ok(size) if size > 0 => Ok(size),
        _ => Err(format!("{argument} is no number of authorizers").into()),
    };
    arguments.iter().map(size).collect()
}

/// Measures and prints.
pub(crate) async fn run(sizes: &[usize]) -> Result<(), Box<dyn Error>> {
    let binary = build("wechat-authorizer")?;
    let mut costs: Vec<Costs> = Vec::new();
    for &size in sizes {
        let mut bench = Bench::start(&binary, size, Duration::ZERO).await?;
        let mut cost = Costs::of(size);
        while bench.run(&mut cost).await? > 0 {}
        bench.idle_runs(&mut cost).await?;
        costs.push(cost);
    }
    let mut far = Costs::of(DUE_AFTER_OUTAGE);
    let mut bench = Bench::start(&binary, DUE_AFTER_OUTAGE, FAR).await?;
    while bench.run(&mut far).await? > 0 {}

    report::print(&costs);
    println!();
    if let Some(near) = costs.iter().max_by_key(|costs| costs.size) {
        report::print_capacity("WeChat answers at once", &near.first_run);
    }
    report::print_capacity(&format!("WeChat answers after {} ms", FAR.as_millis()), &far.first_run);
    report::print_backlog(&far);
    Ok(())
}
