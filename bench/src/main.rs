//! What the Lambda artifact costs.
//!
//! - `cargo run --release -p bench`: a start and an invocation, beside an empty function; with `-- beside BINARY HANDLER`
//!   beside another artifact, too
//! - `-- far`: every function that somebody waits for, with TLS and distances
//! - `-- load`: 200 redirects a second for a minute, on one processor
//! - `-- scale [N…]`: keeping the tokens of N authorizers fresh, by default of 1,000, 10,000 and 100,000; and a backlog
//! - `-- reconcile [N]`: comparing N records with WeChat's list, by default 100,000
//!
//! Both build the artifact and run it as a separate process behind a Runtime API. Nothing is a test: a budget
//! that is missed is printed, and fails nothing.

mod artifact;
mod costs;
mod distance;
mod far;
mod load;
mod reconcile;
mod scale;
mod start;
mod work;

use std::env;
use std::error::Error;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.split_first() {
        None => start::run(None).await,
        Some((name, [binary, handler])) if name == "beside" => {
            start::run(Some((binary.into(), handler.clone()))).await
        }
        Some((name, [])) if name == "far" => far::run().await,
        Some((name, [])) if name == "load" => load::run().await,
        Some((name, [])) if name == "reconcile" => reconcile::run(reconcile::RECORDS).await,
        Some((name, [size])) if name == "reconcile" => reconcile::run(size.parse()?).await,
        Some((name, sizes)) if name == "scale" => scale::run(&scale::sizes(sizes)?).await,
        Some((name, _)) => {
            Err(format!("{name} is no benchmark: expected beside, far, load, reconcile, scale or nothing")
                .into())
        }
    }
}
