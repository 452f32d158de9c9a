//! The artifact beside an empty function with the same profile, and beside any other artifact: all behind a Runtime API, by
//! turns. The figures of one machine at one time mean little, so the ratios to the empty function are what counts.
//!
//! The artifact runs as `messages`, whose start asks nobody for anything, and as `visits`, whose start reads the component token
//! and each invocation of which exchanges a fresh code. The sandbox's WeChat and DynamoDB are on this machine and speak no TLS.

mod report;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::PathBuf;

use sandbox::process::{Artifact, Process};
use sandbox::{Sandbox, template};

use crate::artifact::build;
use crate::costs::Costs;
use crate::work::Work;

/// An odd number, so that the median is one of them.
const STARTS: usize = 25;

const INVOCATIONS: usize = 300;

/// One artifact, and what it costs.
struct Candidate {
    name: &'static str,
    artifact: Artifact,
    work: Work,
    /// Bytes.
    size: u64,
    costs: Costs,
}

/// Measures and prints. `other` is an artifact that is measured beside this one, and its handler.
pub(crate) async fn run(other: Option<(PathBuf, String)>) -> Result<(), Box<dyn Error>> {
    let sandbox = Sandbox::start().await.with("PUBLIC_BASE_URL", "https://platform.example.com");
    let candidate = |name, binary: PathBuf, work: Work, variables: &BTreeMap<String, String>| {
        let size = fs::metadata(&binary)?.len();
        let (handler, variables) = (work.handler(), variables.clone());
        let timeout = template::timeout("VisitsFunction");
        let artifact = Artifact { binary, handler, variables, timeout, processor: None };
        Ok::<_, std::io::Error>(Candidate { name, artifact, work, size, costs: Costs::default() })
    };
    let binary = build("wechat-authorizer")?;
    let mut all = vec![
        candidate("empty", build("empty-function")?, Work::Nothing, &BTreeMap::default())?,
        candidate("messages", binary.clone(), Work::Message, sandbox.variables())?,
        candidate("visits", binary, Work::Redirect, sandbox.variables())?,
    ];
    if let Some((binary, handler)) = other {
        all.push(candidate("other", binary, Work::of(&handler)?, sandbox.variables())?);
    }

    // The first one mints the component token, which thousands of starts then find in the table.
    Costs::default().start(&sandbox, &all[2].artifact, Work::Redirect).await?;
    for count in 1..=STARTS {
        eprint!("\rstarts: {count}/{STARTS}");
        for Candidate { artifact, work, costs, .. } in &mut all {
            costs.start(&sandbox, artifact, *work).await?;
        }
    }
    eprintln!();
    let mut processes = Vec::new();
    for Candidate { artifact, .. } in &all {
        processes.push(Process::start(artifact).await?);
    }
    for count in 1..=INVOCATIONS {
        if count % 50 == 0 {
            eprint!("\rinvocations: {count}/{INVOCATIONS}");
        }
        for (Candidate { work, costs, .. }, process) in all.iter_mut().zip(&mut processes) {
            costs.invoke(&sandbox, process, *work).await?;
        }
    }
    eprintln!();
    for (Candidate { costs, .. }, process) in all.iter_mut().zip(&processes) {
        costs.peak_memory = process.peak_memory()?;
    }
    report::print(&all);
    Ok(())
}
