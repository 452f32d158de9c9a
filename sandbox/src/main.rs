//! The product on one machine, for people.

mod arguments;
mod invoke;
mod mask;
mod schedule;
mod serve;
mod start_page;

use std::process::ExitCode;

use arguments::{Arguments, Command};

const USAGE: &str = "\
usage: cargo run -p sandbox [-- COMMAND] [OPTIONS]

  (none)          start the platform, a simulated WeChat and a DynamoDB, and print where they are
  invoke FILE     run one event file through its function in a fresh sandbox, and print what happened
  env             print the variables of the running sandbox for sam local --env-vars

  --port PORT     the platform's port, default 9000; WeChat gets the next one and DynamoDB the one after
  --listen ADDR   the address to listen on, default 127.0.0.1; 0.0.0.0 lets containers in
  --host NAME     with env: the name by which a container reaches this machine
  --push-to URL   only the simulated WeChat, for a platform that is deployed: its EventsUrl";

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("{error}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let done = match arguments.command {
        Command::Serve => match arguments.push_to {
            None => serve::run(arguments.listen, arguments.port).await,
            Some(events_url) => serve::run_wechat(arguments.listen, arguments.port, events_url).await,
        },
        Command::Invoke(file) => invoke::run(&file).await,
        Command::Env => serve::print_env(arguments.port, arguments.host.as_deref()).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
