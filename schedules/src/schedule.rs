//! What happens in one world, and when.

use std::fmt;

use crate::fault::Planned;

/// Everything that happens, in the order in which it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Decides what chance decides: how long each request takes, which process answers.
    pub seed: u64,
    /// By how many seconds WeChat's clock is ahead of ours.
    pub ahead: i64,
    /// Whether the platform's component token is fresh when it begins; it has ended otherwise.
    pub warm: bool,
    /// Whether `refresh` runs every minute from the start, and not only when all is over.
    pub minutes: bool,
    /// What happens.
    pub steps: Vec<Step>,
}

/// Something that happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// How many milliseconds after the beginning. What happens at the same time happens at once.
    pub at: u64,
    /// What it is.
    pub what: What,
}

/// What can happen. Merchants, launches, consents, revocations and strangers have numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The merchant opens the launch page.
    Launch {
        /// The launch that begins.
        launch: u8,
        /// Whose it is.
        merchant: u8,
    },
    /// The merchant agrees on WeChat's page.
    Consent {
        /// The consent that is given.
        consent: u8,
        /// Who gives it.
        merchant: u8,
        /// The launch that it ends.
        launch: Option<u8>,
    },
    /// WeChat redirects the merchant's browser, or the merchant reloads the page.
    Redirect {
        /// The consent whose code it brings.
        consent: u8,
    },
    /// WeChat pushes the consent.
    Push {
        /// The consent.
        consent: u8,
        /// Whether its code is another one than the redirect's.
        own_code: bool,
        /// Whether its time is in milliseconds.
        milliseconds: bool,
    },
    /// The merchant changes the permission sets, which is a consent without a redirect.
    Update {
        /// The consent.
        consent: u8,
        /// Who gives it.
        merchant: u8,
    },
    /// The merchant revokes.
    Revoke {
        /// The revocation.
        revocation: u8,
        /// Who revokes.
        merchant: u8,
    },
    /// WeChat pushes the revocation.
    PushRevoked {
        /// The revocation.
        revocation: u8,
    },
    /// Somebody opens the redirect's address with a code that he made up, or reloads it.
    Stranger {
        /// Who.
        stranger: u8,
        /// The launch whose state he brings; none if he made one up.
        state_of: Option<u8>,
    },
    /// `refresh` runs.
    Refresh,
    /// `reconcile` runs.
    Reconcile,
    /// A service asks for a token.
    Token {
        /// The account's merchant.
        merchant: u8,
        /// Whether it says that WeChat has refused the stored one.
        refused: bool,
    },
    /// All access tokens of the account end before their time.
    Invalidate {
        /// The account's merchant.
        merchant: u8,
    },
    /// The record of the account is lost.
    Lose {
        /// The account's merchant.
        merchant: u8,
    },
    /// Our clock is set.
    SetClock {
        /// By how many seconds.
        seconds: i64,
    },
    /// A fault lies in wait from now on.
    Fault(Planned),
}

impl Schedule {
    /// The steps in the order of their times.
    pub fn sorted(mut self) -> Self {
        self.steps.sort_by_key(|step| step.at);
        self
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let warm = if self.warm { "the component token is fresh" } else { "the component token has ended" };
        write!(formatter, "     at the beginning {warm}")?;
        if self.ahead != 0 {
            write!(formatter, "; WeChat's clock is {} s ahead of ours", self.ahead)?;
        }
        if self.minutes {
            formatter.write_str("; refresh runs every minute")?;
        }
        for (index, step) in self.steps.iter().enumerate() {
            let (seconds, thousandths) = (step.at / 1000, step.at % 1000);
            write!(formatter, "\n{:>4}. at {seconds}.{thousandths:03} s: {}", index + 1, step.what)?;
        }
        formatter.write_str("\n     then all faults end, WeChat delivers what it has not pushed, refresh runs every minute, and reconcile runs")
    }
}

/// The name of a merchant.
pub fn merchant_name(merchant: u8) -> char {
    char::from(b'A' + merchant)
}

impl fmt::Display for What {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |merchant: &u8| merchant_name(*merchant);
        match self {
            Self::Launch { launch, merchant } => {
                write!(
                    formatter,
                    "merchant {} opens the launch page with the state of launch {launch}",
                    name(merchant)
                )
            }
            Self::Consent { consent, merchant, launch: Some(launch) } => {
                write!(formatter, "merchant {} agrees in launch {launch} (consent {consent})", name(merchant))
            }
            Self::Consent { consent, merchant, launch: None } => {
                write!(formatter, "merchant {} agrees without a launch (consent {consent})", name(merchant))
            }
            Self::Redirect { consent } => {
                write!(formatter, "the browser visits callback with consent {consent}")
            }
            Self::Push { consent, own_code, milliseconds } => {
                write!(formatter, "WeChat pushes consent {consent}")?;
                formatter.write_str(if *own_code { ", with a code of its own" } else { "" })?;
                formatter.write_str(if *milliseconds { ", with CreateTime in milliseconds" } else { "" })
            }
            Self::Update { consent, merchant } => {
                write!(
                    formatter,
                    "merchant {} changes the permission sets (consent {consent})",
                    name(merchant)
                )
            }
            Self::Revoke { revocation, merchant } => {
                write!(formatter, "merchant {} revokes (revocation {revocation})", name(merchant))
            }
            Self::PushRevoked { revocation } => write!(formatter, "WeChat pushes revocation {revocation}"),
            Self::Stranger { stranger, state_of: None } => {
                write!(
                    formatter,
                    "stranger {stranger} visits callback with a made-up code and a state of his own"
                )
            }
            Self::Stranger { stranger, state_of: Some(launch) } => write!(
                formatter,
                "stranger {stranger} visits callback with a made-up code and the state of launch {launch}"
            ),
            Self::Refresh => formatter.write_str("refresh runs"),
            Self::Reconcile => formatter.write_str("reconcile runs"),
            Self::Token { merchant, refused: false } => {
                write!(formatter, "a service asks for the token of merchant {}", name(merchant))
            }
            Self::Token { merchant, refused: true } => write!(
                formatter,
                "a service asks for the token of merchant {} and says that the stored one was refused",
                name(merchant)
            ),
            Self::Invalidate { merchant } => {
                write!(formatter, "WeChat ends all access tokens of merchant {}", name(merchant))
            }
            Self::Lose { merchant } => write!(formatter, "the record of merchant {} is lost", name(merchant)),
            Self::SetClock { seconds } => write!(formatter, "our clock is set by {seconds} s"),
            Self::Fault(planned) => write!(formatter, "from now on: {planned}"),
        }
    }
}
