//! The product on one machine, for people.

mod arguments;
mod gallery;
mod invoke;
mod lambda;
mod live;
mod mask;
mod platform;
mod schedule;
mod serve;
mod start_page;
mod timeline;

use std::error::Error;
use std::process::ExitCode;

use arguments::{Arguments, Command, USAGE};
use sandbox::say;

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
            say!("{USAGE}");
            Ok(())
        }
        Command::Invoke(file) => invoke::run(file).await,
        Command::Env => serve::print_env(arguments.port, arguments.host.as_deref()).await,
        Command::Secret => serve::print_secret(arguments.port).await,
        Command::Serve => match &arguments.push_to {
            None => serve::run(&arguments).await,
            Some(events_url) => serve::run_wechat(&arguments, events_url).await,
        },
    }
}
