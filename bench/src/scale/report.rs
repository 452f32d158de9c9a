//! What is printed.

use super::measure::{Costs, FirstRun};

/// What comes due in a minute of 100,000 tokens that are refreshed every 100 minutes.
const DUE_PER_MINUTE: f64 = 1_000.0;

/// How much of a run that may take: with one run a minute, a tenth is ten-fold headroom.
const SHARE_BUDGET: f64 = 0.1;

/// Prints what each size takes, as a multiple of the first, too, and whether that is within the budget.
pub(crate) fn print(costs: &[Costs]) {
    let Some(first) = costs.first() else { return };
    print!("{:<44}", "authorizers");
    for costs in costs {
        print!("{:>10}{:9}", costs.size, "");
    }
    println!();
    let rows: [(&str, Figure, Budget); 17] = [
        ("runs until nothing is due", |costs| f64::from(costs.runs), Budget::None),
        ("refreshes per second", |costs| costs.refreshed as f64 / costs.time.as_secs_f64(), Budget::None),
        (
            "refreshes per CPU second",
            |costs| costs.refreshed as f64 / costs.processor.as_secs_f64(),
            Budget::None,
        ),
        ("per refresh: CPU ms", |costs| costs.per(costs.processor.as_secs_f64() * 1e3), Budget::None),
        (
            "per refresh: CPU ms of the simulators",
            |costs| costs.per(costs.simulators.as_secs_f64() * 1e3),
            Budget::None,
        ),
        ("peak memory, MB", |costs| costs.peak_memory as f64 / 1e6, Budget::Ratio(1.3)),
        ("not refreshed", |costs| (costs.size - costs.refreshed) as f64, Budget::Most(0.0)),
        (
            "per refresh: writes of the record",
            |costs| costs.per(costs.dynamodb.record_writes),
            Budget::Most(2.0),
        ),
        (
            "per refresh: reads of the record",
            |costs| costs.per(costs.dynamodb.record_reads),
            Budget::Most(0.0),
        ),
        ("per refresh: DynamoDB requests", |costs| costs.per(costs.dynamodb.requests), Budget::None),
        ("per refresh: write units, table", |costs| costs.per(costs.dynamodb.table_units), Budget::None),
        ("per refresh: write units, index", |costs| costs.per(costs.dynamodb.index_units), Budget::None),
        ("per refresh: read units", |costs| costs.per(costs.dynamodb.read_units), Budget::None),
        ("nothing due: DynamoDB requests", |costs| costs.idle.requests, Budget::Ratio(1.0)),
        ("nothing due: read units", |costs| costs.idle.read_units, Budget::None),
        ("nothing due: ms", |costs| costs.idle_time.as_secs_f64() * 1e3, Budget::None),
        ("nothing due: CPU ms", |costs| costs.idle_processor.as_secs_f64() * 1e3, Budget::None),
    ];
    for (name, figure, budget) in rows {
        print!("{name:<44}");
        for costs in costs {
            let (ours, base) = (figure(costs), figure(first));
            print!("{ours:>10.*}", if ours < 100.0 { 3 } else { 0 });
            match base != 0.0 && !std::ptr::eq(costs, first) {
                true => print!("{:>8.2}x", ours / base),
                false => print!("{:9}", ""),
            }
        }
        let figures: Vec<f64> = costs.iter().map(figure).collect();
        println!("{}", budget.verdict(&figures));
    }
}

/// Prints what one run does in the time it has, and how much of that 100,000 authorizers need.
pub(crate) fn print_capacity(name: &str, run: &FirstRun) {
    let share = DUE_PER_MINUTE / run.refreshed as f64;
    let verdict = match (share <= SHARE_BUDGET, run.is_full) {
        (true, _) => "ok",
        (false, true) => "OVER",
        (false, false) => "too few records to tell",
    };
    println!(
        "{name}: one run of {:.1} s {} {}, {:.0} a second",
        run.time.as_secs_f64(),
        if run.is_full { "refreshes" } else { "refreshes all" },
        run.refreshed,
        run.refreshed as f64 / run.time.as_secs_f64(),
    );
    println!("    100000 authorizers need {share:.3} of it   at most {SHARE_BUDGET}: {verdict}");
}

/// Prints how long it takes to catch up with what an outage left.
pub(crate) fn print_backlog(costs: &Costs) {
    // One run a minute, and what comes due meanwhile.
    let each = costs.refreshed as f64 / f64::from(costs.runs) - DUE_PER_MINUTE;
    println!(
        "{} due after an hour's outage of 100000 authorizers: refreshed in {} runs; with those that come due meanwhile, caught \
         up after {:.0} minutes",
        costs.size,
        costs.runs,
        (costs.size as f64 / each).ceil(),
    );
}

impl Costs {
    fn per(&self, figure: f64) -> f64 {
        figure / self.refreshed as f64
    }
}

/// One line's figure out of all that was measured.
type Figure = fn(&Costs) -> f64;

/// What a line's figures may be.
enum Budget {
    /// Anything.
    None,
    /// No more than this.
    Most(f64),
    /// How many times the first size the last one is.
    Ratio(f64),
}

impl Budget {
    fn verdict(&self, figures: &[f64]) -> String {
        let (Some(first), Some(last)) = (figures.first(), figures.last()) else { return String::new() };
        let (kept, limit) = match self {
            Self::None => return String::new(),
            Self::Most(limit) => (figures.iter().all(|figure| figure <= limit), limit.to_string()),
            Self::Ratio(limit) => (last / first <= *limit, format!("{limit}x")),
        };
        format!("   at most {limit}: {}", if kept { "ok" } else { "OVER" })
    }
}
