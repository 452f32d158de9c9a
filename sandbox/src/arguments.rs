//! The command line.

use std::net::{IpAddr, Ipv4Addr};

/// What to do, and where.
#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) command: Command,
    pub(crate) port: u16,
    pub(crate) listen: IpAddr,
    pub(crate) host: Option<String>,
}

#[derive(Debug)]
pub(crate) enum Command {
    Serve,
    Invoke(String),
    Env,
}

impl Arguments {
    /// Reads the arguments; an error is a sentence for the terminal.
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut parsed =
            Self { command: Command::Serve, port: 9000, listen: Ipv4Addr::LOCALHOST.into(), host: None };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} wants a value"));
            match argument.as_str() {
                "invoke" => parsed.command = Command::Invoke(value()?),
                "env" => parsed.command = Command::Env,
                "--port" => {
                    parsed.port = value()?.parse().map_err(|_| "--port wants a number below 65536")?
                }
                "--listen" => parsed.listen = value()?.parse().map_err(|_| "--listen wants an IP address")?,
                "--host" => parsed.host = Some(value()?),
                _ => return Err(format!("unknown argument {argument}")),
            }
        }
        Ok(parsed)
    }
}
