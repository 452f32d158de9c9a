//! Who vouches for an authorization code, and what that allows.
//!
//! The redirect carries no signature and no account, so anybody can call its address. What an event may cause depends on
//! the evidence that it brings; `ARCHITECTURE.md` has the table.

use std::fmt;

use crate::id::{sha256_hex, unique_id};

/// The longest state, in characters.
const LONGEST_STATE: usize = 256;

/// Who says that a code is genuine, in rising rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Evidence {
    /// Nobody: a visit of the redirect address.
    Bare,
    /// A launch that a visitor began.
    Visitor,
    /// A launch that a service of the platform began.
    Service,
    /// WeChat, by its signature.
    Push,
}

impl Evidence {
    /// The value in the table.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Visitor => "visitor",
            Self::Service => "service",
            Self::Push => "push",
        }
    }

    /// The evidence that the table names; the lowest where it names none.
    pub(crate) fn read(text: Option<&str>) -> Self {
        match text {
            Some("push") => Self::Push,
            Some("service") => Self::Service,
            Some("visitor") => Self::Visitor,
            _ => Self::Bare,
        }
    }

    /// Whether WeChat or a service of the platform vouches for the code.
    pub(crate) fn is_vouched(self) -> bool {
        self >= Self::Service
    }
}

/// Who began a launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MadeBy {
    /// A service of the platform, through IAM.
    Service,
    /// A visitor of `/authorize`.
    Visitor,
    /// Nobody: it was made after a bare visit had exchanged its code, to have an address without the code.
    Visit,
}

impl MadeBy {
    /// The value in the table.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Visitor => "visitor",
            Self::Visit => "visit",
        }
    }

    /// The value that the table has.
    pub(crate) fn read(text: Option<&str>) -> Self {
        match text {
            Some("service") => Self::Service,
            Some("visitor") => Self::Visitor,
            _ => Self::Visit,
        }
    }

    /// What a launch of this kind says for a code that comes with its id.
    pub(crate) fn evidence(self) -> Evidence {
        match self {
            Self::Service => Evidence::Service,
            Self::Visitor => Evidence::Visitor,
            Self::Visit => Evidence::Bare,
        }
    }
}

/// How it is known that an authorization belongs to its launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    /// Its id, or its `pre_auth_code`, came back.
    Launch,
    /// The browser that opened the launch page came back with its cookie.
    Browser,
}

impl Bound {
    /// The value in the table and in the answer of `launch`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Launch => "launch",
            Self::Browser => "browser",
        }
    }

    /// The value that the table has.
    pub(crate) fn read(text: Option<&str>) -> Option<Self> {
        match text {
            Some("browser") => Some(Self::Browser),
            Some("launch") => Some(Self::Launch),
            _ => None,
        }
    }
}

/// The launch that an authorization belongs to, as a claim and the write of a grant need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Binding {
    /// The digest of the launch's id.
    pub launch: String,
    /// Who began it.
    pub made_by: MadeBy,
    /// What it was begun with.
    pub state: Option<State>,
    /// How it is known; absent for a launch that was made after the visit.
    pub bound: Option<Bound>,
    /// The digest of the cookie of the browser that brought the code, which alone may see the account.
    pub viewer: Option<String>,
}

/// The opaque value that a launch is begun with and that stands in the record afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct State(String);

impl State {
    /// A state of 1 to 256 characters of `A-Z a-z 0-9 - _ . ~`, which survive any URL.
    pub(crate) fn parse(value: &str) -> Option<Self> {
        let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
        let fits = (1..=LONGEST_STATE).contains(&value.len()) && value.bytes().all(unreserved);
        fits.then(|| Self(value.to_owned()))
    }

    /// The state as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// The id of a launch: 128 random bits. Whoever has it may end the launch, so the tables know its digest alone.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct LaunchId(String);

impl fmt::Debug for LaunchId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LaunchId")
    }
}

impl LaunchId {
    /// An id like no other.
    pub(crate) fn random() -> Self {
        Self(unique_id())
    }

    /// An id as an address, a cookie or a service brings it.
    pub(crate) fn parse(value: &str) -> Option<Self> {
        is_unique_id(value).then(|| Self(value.to_owned()))
    }

    /// The id as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The name under which the launch is stored.
    pub(crate) fn digest(&self) -> String {
        sha256_hex(&self.0)
    }
}

/// The cookie of one browser for one launch.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Cookie {
    /// The launch.
    pub launch: LaunchId,
    secret: String,
}

impl fmt::Debug for Cookie {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Cookie")
    }
}

impl Cookie {
    /// A cookie like no other for this launch.
    pub(crate) fn random(launch: &LaunchId) -> Self {
        Self { launch: launch.clone(), secret: unique_id() }
    }

    /// All launch cookies of a `Cookie` header.
    pub(crate) fn read_all(header: &str) -> Vec<Self> {
        let read = |pair: &str| {
            let (name, value) = pair.trim().split_once('=')?;
            let (launch, secret) = value.split_once('.')?;
            let launch = LaunchId::parse(launch)?;
            let cookie = Self { launch, secret: is_unique_id(secret).then(|| secret.to_owned())? };
            (cookie.name() == name).then_some(cookie)
        };
        header.split(';').filter_map(read).collect()
    }

    fn name(&self) -> String {
        format!("__Host-launch-{}", &self.launch.digest()[..16])
    }

    /// The `Set-Cookie` header: for this host alone, over TLS alone, out of reach of scripts, for as long as a launch
    /// lives.
    pub(crate) fn header(&self) -> String {
        let (name, launch, secret) = (self.name(), self.launch.as_str(), &self.secret);
        format!("{name}={launch}.{secret}; Path=/; Max-Age=7200; Secure; HttpOnly; SameSite=Lax")
    }

    /// The name under which it is stored with its launch.
    pub(crate) fn digest(&self) -> String {
        sha256_hex(&self.secret)
    }
}

fn is_unique_id(value: &str) -> bool {
    value.len() == 32 && value.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_read_among_others_and_only_under_its_own_name() {
        let cookie = Cookie::random(&LaunchId::random());
        let pair = cookie.header();
        let pair = pair.split(';').next().expect("a pair");
        assert_eq!(Cookie::read_all(&format!("a=b; {pair}; c")), std::slice::from_ref(&cookie));
        let other = pair.replacen("__Host-launch-", "__Host-launch-0", 1);
        assert!(Cookie::read_all(&other).is_empty());
        assert!(Cookie::read_all("__Host-launch-0=x.y").is_empty());
        let many = |_| Cookie::random(&LaunchId::random()).header().replace("; Path", ";Path") + ";";
        let header: String = (0..50).map(many).collect();
        assert_eq!(Cookie::read_all(&format!("{header} {pair}")).last(), Some(&cookie), "of many launches");
    }

    #[test]
    fn evidence_rises_from_a_bare_visit_to_a_push() {
        assert!(Evidence::Bare < Evidence::Visitor && Evidence::Visitor < Evidence::Service);
        assert!(
            !Evidence::Visitor.is_vouched() && Evidence::Service.is_vouched() && Evidence::Push.is_vouched()
        );
    }
}
