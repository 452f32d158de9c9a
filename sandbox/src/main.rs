//! The product on one machine, for people.

mod arguments;
mod invoke;
mod mask;
mod schedule;
mod serve;
mod start_page;

use std::error::Error;
use std::process::ExitCode;

use arguments::{Arguments, Command, USAGE};

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

/// An error is a sentence for the terminal.
async fn run() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::from_env()?;
    match &arguments.command {
        Command::Help => {
            println!("{USAGE}");
            Ok(())
        }
        Command::Invoke(file) => invoke::run(file).await,
        Command::Env => serve::print_env(arguments.port, arguments.host.as_deref()).await,
        Command::Serve => match &arguments.push_to {
            None => serve::run(&arguments).await,
            Some(events_url) => serve::run_wechat(&arguments, events_url).await,
        },
    }
}
