//! Where a visitor is, as far as it decides which way leads to WeChat's consent page.

/// What the page is opened in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Visitor {
    /// A computer, WeChat's programs for computers included.
    Desktop,
    /// WeChat on a phone.
    WeChat,
    /// Another browser on a phone.
    Phone,
    /// Anything else: a tablet, which is used either way, or an unknown program.
    Unknown,
}

impl Visitor {
    /// Reads the value of a `User-Agent` header. WeChat names itself `MicroMessenger` on every system; its programs for
    /// computers show the consent page for desktops, and WeCom (`wxwork`) shows none.
    pub(crate) fn of(user_agent: Option<&str>) -> Self {
        let agent = user_agent.unwrap_or_default();
        let has = |marks: &[&str]| marks.iter().any(|mark| agent.contains(mark));
        if has(&["WindowsWechat", "MacWechat", "Windows NT", "Macintosh", "X11"]) {
            Self::Desktop
        } else if has(&["MicroMessenger"]) && !has(&["wxwork"]) {
            Self::WeChat
        } else if has(&["Mobile", "iPhone"]) && !has(&["iPad"]) {
            Self::Phone
        } else {
            Self::Unknown
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Visitor::{self, Desktop, Phone, Unknown, WeChat};

    #[test]
    fn each_browser_is_known_by_its_name() {
        let iphone = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15";
        let android = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/124";
        for (agent, expected) in [
            ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/124 Safari/537.36", Desktop),
            ("Mozilla/5.0 (Windows NT 10.0) Chrome/116 MicroMessenger/7.0.20 WindowsWechat", Desktop),
            ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) MicroMessenger/6.8.0 MacWechat/3.8", Desktop),
            ("Mozilla/5.0 (X11; Linux x86_64) Chrome/124 MicroMessenger/4.0", Desktop),
            (&format!("{iphone} Mobile/15E148 MicroMessenger/8.0.50(0x1800323a)"), WeChat),
            (&format!("{android} Mobile Safari/537.36 MMWEBID/1 MicroMessenger/8.0.49"), WeChat),
            (&format!("{iphone} Version/17.5 Mobile/15E148 Safari/604.1"), Phone),
            (&format!("{android} Mobile Safari/537.36"), Phone),
            (&format!("{iphone} Mobile/15E148 wxwork/4.1 MicroMessenger/7.0.1"), Phone),
            ("Mozilla/5.0 (Phone; OpenHarmony 5.0) AppleWebKit/537.36 Mobile", Phone),
            ("Mozilla/5.0 (Linux; Android 14; SM-X710) AppleWebKit/537.36 Chrome/124 Safari/537.36", Unknown),
            ("Mozilla/5.0 (iPad; CPU OS 12_5 like Mac OS X) Mobile/15E148 Safari/604.1", Unknown),
            ("curl/8.5.0", Unknown),
        ] {
            assert_eq!(Visitor::of(Some(agent)), expected, "{agent}");
        }
        assert_eq!(Visitor::of(None), Unknown);
    }
}
