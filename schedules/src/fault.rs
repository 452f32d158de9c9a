//! What can go wrong with one request.

use std::fmt;
use std::time::Duration;

/// The two wires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// WeChat's API.
    WeChat,
    /// The tables.
    DynamoDb,
}

/// What happens to a request instead of, before or after its effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// WeChat answers with an errcode, without the effect.
    Refused(i64),
    /// Status 500, without the effect.
    ServerError,
    /// DynamoDB has too much to do.
    Throttled,
    /// Somebody else is writing the same item.
    Conflict,
    /// DynamoDB finds the signature too old.
    SignatureExpired,
    /// The connection ends without an answer and without the effect.
    LostBefore,
    /// The effect, and the connection ends without an answer.
    LostAfter,
    /// The effect, and half of the answer.
    Truncated,
    /// The effect comes this many seconds late.
    LateBefore(u64),
    /// The answer comes this many seconds late.
    LateAfter(u64),
    /// The process dies before the request leaves.
    KilledBefore,
    /// The effect, and the process dies.
    KilledAfter,
    /// The effect comes, and then the process stands still for this many seconds.
    FrozenAfter(u64),
}

/// A fault and whom it meets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Which requests are meant.
    pub of: Whom,
    /// How many of them are spared before.
    pub skip: usize,
    /// What happens.
    pub fault: Fault,
    /// For how many seconds it goes on after the first; 0 is once.
    pub lasting: u64,
}

/// Which requests a fault means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whom {
    /// All.
    Any,
    /// Those of one wire.
    Side(Side),
    /// Those of one wire whose label contains a text.
    Label(Side, &'static str),
}

impl Side {
    /// Every fault that a request with this label can meet.
    pub fn faults(self, label: &str) -> Vec<Fault> {
        let own: &[Fault] = match self {
            Self::WeChat => {
                &[Fault::Refused(-1), Fault::Refused(40001), Fault::Refused(45011), Fault::Refused(61004)]
            }
            Self::DynamoDb => &[Fault::Throttled, Fault::SignatureExpired],
        };
        let mut faults = own.to_vec();
        if self == Self::DynamoDb && (label.contains("UpdateItem") || label.contains("Transact")) {
            faults.push(Fault::Conflict);
        }
        if label.contains("api_authorizer_token") || label.contains("api_get_authorizer_info") {
            // Once, and wrong: the account authorizes the platform.
            faults.push(Fault::Refused(61003));
        }
        faults.extend([
            Fault::ServerError,
            Fault::LostBefore,
            Fault::LostAfter,
            Fault::LateBefore(6),
            Fault::LateAfter(6),
            Fault::KilledBefore,
            Fault::KilledAfter,
            Fault::FrozenAfter(10),
        ]);
        if self == Self::WeChat {
            // Half of an answer is as good as none to the AWS SDK, and it waits for two seconds at most.
            faults.extend([Fault::Truncated, Fault::LateBefore(12)]);
        }
        faults
    }
}

impl Fault {
    /// Whether nobody outside need notice, because the next try is as good as this one would have been. A component
    /// token that is refused is not among them: for one call it is the platform's secret.
    pub fn passes(self) -> bool {
        matches!(
            self,
            Self::Refused(-1)
                | Self::ServerError
                | Self::Throttled
                | Self::Conflict
                | Self::SignatureExpired
                | Self::LostBefore
                | Self::LostAfter
                | Self::Truncated
        )
    }
}

impl Planned {
    /// Whether the request with this label on this wire is meant.
    pub fn means(&self, side: Side, label: &str) -> bool {
        match &self.of {
            Whom::Any => true,
            Whom::Side(meant) => *meant == side,
            Whom::Label(meant, text) => *meant == side && label.contains(text),
        }
    }

    /// For how long it goes on after the first.
    pub fn lasting(&self) -> Duration {
        Duration::from_secs(self.lasting)
    }
}

impl fmt::Display for Side {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::WeChat => "WeChat",
            Self::DynamoDb => "DynamoDB",
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(errcode) => write!(formatter, "is refused with errcode {errcode}"),
            Self::ServerError => formatter.write_str("is answered with status 500, without its effect"),
            Self::Throttled => formatter.write_str("is throttled"),
            Self::Conflict => formatter.write_str("is refused for a conflict of transactions"),
            Self::SignatureExpired => formatter.write_str("is refused because its signature expired"),
            Self::LostBefore => formatter.write_str("is lost before its effect: the connection is reset"),
            Self::LostAfter => {
                formatter.write_str("takes effect and its answer is lost: the connection is reset")
            }
            Self::Truncated => formatter.write_str("takes effect and half of its answer arrives"),
            Self::LateBefore(seconds) => write!(formatter, "takes effect {seconds} s late"),
            Self::LateAfter(seconds) => write!(formatter, "takes effect and is answered {seconds} s late"),
            Self::KilledBefore => formatter.write_str("does not leave: the process dies before"),
            Self::KilledAfter => formatter.write_str("takes effect and the process dies"),
            Self::FrozenAfter(seconds) => {
                write!(formatter, "takes effect and the process stands still for {seconds} s")
            }
        }
    }
}

impl fmt::Display for Planned {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.skip {
            0 => formatter.write_str("the next request")?,
            skip => write!(formatter, "request {} from now on", skip + 1)?,
        }
        match &self.of {
            Whom::Any => {}
            Whom::Side(side) => write!(formatter, " to {side}")?,
            Whom::Label(side, label) => write!(formatter, " to {side} ({label})")?,
        }
        write!(formatter, " {}", self.fault)?;
        if self.lasting > 0 {
            write!(formatter, ", and so for {} s", self.lasting)?;
        }
        Ok(())
    }
}
