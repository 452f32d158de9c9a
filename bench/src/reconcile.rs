//! What a daily run of `reconcile` takes that compares N records with WeChat's list, and finds them as they should be.

use std::error::Error;
use std::time::Duration;

use sandbox::process::Process;
use serde_json::json;

use crate::artifact::build;
use crate::far::Far;
use crate::scale::records;

/// How many records are compared, if the command line does not say.
pub(crate) const RECORDS: usize = 100_000;

/// Measures and prints.
pub(crate) async fn run(size: usize) -> Result<(), Box<dyn Error>> {
    let far = Far::start().await?;
    records::fill_with_authorized(&far.sandbox, size).await?;
    let artifact = far.artifact(&build("far-function")?, "reconcile");
    let mut process = Process::start(&artifact).await?;
    process.ready().await?;
    let (lists, infos) = ("api_get_authorizer_list", "api_get_authorizer_info");
    let count = |endpoint| far.sandbox.wechat.on(endpoint).count();
    let (before, asked) = (process.processor_time()?, far.sandbox.dynamodb.requests().len());
    let (listed, told) = (count(lists), count(infos));
    let (mut time, mut runs) = (Duration::ZERO, 0);
    loop {
        let (began, answered, summary) = process.invoke(json!({})).await?;
        process.ready().await?;
        (time, runs) = (time + (answered - began), runs + 1);
        eprintln!("run {runs}: {summary} in {:.1} s", (answered - began).as_secs_f64());
        // What is fast because it failed is not measured.
        if summary["failed"] != 0 || summary["restored"] != 0 || summary["revoked"] != 0 {
            return Err(format!("the records should be as they should be, but the run says {summary}").into());
        }
        if summary["complete"] == true {
            break;
        }
    }
    let processor = process.processor_time()? - before;
    println!(
        "reconcile compares {size} records, TLS, 2 and 100 ms away: {runs} run(s), {:.1} s, {:.1} s of CPU, {:.1} MB; {} \
         pages of the list, {} accounts asked about, {} requests to DynamoDB",
        time.as_secs_f64(),
        processor.as_secs_f64(),
        process.peak_memory()? as f64 / 1e6,
        count(lists) - listed,
        count(infos) - told,
        far.sandbox.dynamodb.requests().len() - asked,
    );
    Ok(())
}
