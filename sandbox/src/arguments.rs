//! The command line.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use lexopt::{Arg, Error, Parser, ValueExt};
use reqwest::Url;

/// What `--help` prints.
pub(crate) const USAGE: &str = "\
usage: cargo run -p sandbox [-- COMMAND] [OPTIONS]

  (none)          start the platform, a simulated WeChat and a DynamoDB, and print where they are
  invoke FILE     run one event file through its function in a fresh sandbox, and print what happened
  env             print the variables of the running sandbox for sam local --env-vars
  secret          print the secret of the running sandbox's platform for just rotate-secret

  --port PORT     the platform's port, default 9000; WeChat gets the next one and DynamoDB the one after;
                  0 means any free port for each of them
  --listen ADDR   the address to listen on, default 127.0.0.1; 0.0.0.0 lets containers in
  --host NAME     with env: the name by which a container reaches this machine
  --push-to URL   only the simulated WeChat, for a platform that is deployed: its EventsUrl
  -v, --verbose   print each request to WeChat and DynamoDB, too, and more of what the functions log
  -h, --help      print this";

/// What to do, and where.
#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) command: Command,
    pub(crate) port: u16,
    pub(crate) listen: IpAddr,
    pub(crate) host: Option<String>,
    pub(crate) push_to: Option<Url>,
    pub(crate) verbose: bool,
}

#[derive(Debug)]
pub(crate) enum Command {
    Serve,
    Invoke(PathBuf),
    Env,
    Secret,
    Help,
}

impl Arguments {
    /// Reads the arguments of this process; an error is a sentence for the terminal.
    pub(crate) fn from_env() -> Result<Self, Error> {
        Self::parse(Parser::from_env())
    }

    fn parse(mut parser: Parser) -> Result<Self, Error> {
        let mut parsed = Self {
            command: Command::Serve,
            port: 9000,
            listen: Ipv4Addr::LOCALHOST.into(),
            host: None,
            push_to: None,
            verbose: false,
        };
        while let Some(argument) = parser.next()? {
            match argument {
                Arg::Long("port") => parsed.port = value(&mut parser, "--port wants a number below 65536")?,
                Arg::Long("listen") => parsed.listen = value(&mut parser, "--listen wants an IP address")?,
                Arg::Long("host") => parsed.host = Some(parser.value()?.string()?),
                Arg::Long("push-to") => parsed.push_to = Some(events_url(&mut parser)?),
                Arg::Short('v') | Arg::Long("verbose") => parsed.verbose = true,
                Arg::Short('h') | Arg::Long("help") => return Ok(Self { command: Command::Help, ..parsed }),
                Arg::Value(command) if matches!(parsed.command, Command::Serve) && command == "invoke" => {
                    parsed.command = Command::Invoke(file(&mut parser)?);
                }
                Arg::Value(command) if matches!(parsed.command, Command::Serve) && command == "env" => {
                    parsed.command = Command::Env;
                }
                Arg::Value(command) if matches!(parsed.command, Command::Serve) && command == "secret" => {
                    parsed.command = Command::Secret;
                }
                _ => return Err(argument.unexpected()),
            }
        }
        Ok(parsed)
    }
}

fn value<T: std::str::FromStr>(parser: &mut Parser, wanted: &'static str) -> Result<T, Error> {
    parser.value()?.to_str().and_then(|value| value.parse().ok()).ok_or_else(|| wanted.into())
}

fn events_url(parser: &mut Parser) -> Result<Url, Error> {
    let url: Option<Url> = parser.value()?.to_str().and_then(|url| url.parse().ok());
    url.filter(Url::has_host).ok_or_else(|| "--push-to wants the platform's EventsUrl".into())
}

fn file(parser: &mut Parser) -> Result<PathBuf, Error> {
    parser.value().map(PathBuf::from).map_err(|_| "invoke wants an event file".into())
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    fn parse(arguments: &[&str]) -> Result<Arguments, String> {
        Arguments::parse(Parser::from_args(arguments)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_command_and_its_options_come_in_any_order() {
        let arguments = parse(&["--port=9100", "invoke", "events/callback.json", "-v"]).expect("good");
        let Command::Invoke(file) = arguments.command else { panic!("{:?}", arguments.command) };
        assert_eq!(
            (file.to_str(), arguments.port, arguments.verbose),
            (Some("events/callback.json"), 9100, true)
        );
        assert!(matches!(parse(&["env", "--help"]).expect("good").command, Command::Help));
    }

    #[test]
    fn what_is_wrong_is_one_sentence() {
        for (arguments, sentence) in [
            (&["--port", "65536"][..], "--port wants a number below 65536"),
            (&["--listen", "localhost"], "--listen wants an IP address"),
            (&["--push-to", "events"], "--push-to wants the platform's EventsUrl"),
            (&["invoke"], "invoke wants an event file"),
            (&["--colour"], "invalid option '--colour'"),
            (&["env", "env"], "unexpected argument \"env\""),
            (&["--host"], "missing argument for option '--host'"),
        ] {
            assert_eq!(parse(arguments).expect_err("wrong"), sentence);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_file_name_need_not_be_utf8_and_another_argument_must() {
        use std::os::unix::ffi::OsStrExt;
        let odd = OsStr::from_bytes(b"\xff.json");
        let arguments = Arguments::parse(Parser::from_args([OsStr::new("invoke"), odd])).expect("good");
        assert!(matches!(arguments.command, Command::Invoke(file) if file.as_os_str() == odd));
        assert!(Arguments::parse(Parser::from_args([OsStr::new("--port"), odd])).is_err());
        assert!(Arguments::parse(Parser::from_args([odd])).is_err());
    }
}
