//! The command line.

use std::net::{IpAddr, Ipv4Addr};

use reqwest::Url;

/// What to do, and where.
#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) command: Command,
    pub(crate) port: u16,
    pub(crate) listen: IpAddr,
    pub(crate) host: Option<String>,
    pub(crate) push_to: Option<Url>,
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
        let mut parsed = Self {
            command: Command::Serve,
            port: 9000,
            listen: Ipv4Addr::LOCALHOST.into(),
            host: None,
            push_to: None,
        };
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
                "--push-to" => {
                    let url = Url::parse(&value()?).ok().filter(|url| url.has_host());
                    parsed.push_to = Some(url.ok_or("--push-to wants the platform's EventsUrl")?);
                }
                _ => return Err(format!("unknown argument {argument}")),
            }
        }
        Ok(parsed)
    }
}
