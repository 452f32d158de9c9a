//! The language of a page, as the browser asks for it.

/// A language that the pages are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    /// Simplified Chinese, the language of most merchants and the default.
    Chinese,
    /// Traditional Chinese: of Taiwan, Hong Kong and Macau.
    Traditional,
    /// English.
    English,
}

impl Language {
    /// Chooses by the value of an `Accept-Language` header (RFC 9110, section 12.5.4).
    ///
    /// Any `zh` range asks for Chinese and any `en` range for English; `*` stands for whichever is not named. The higher
    /// weight wins, then the one named first, then Simplified Chinese. What cannot be read is skipped, because a page in
    /// another language is better than no page.
    pub(crate) fn negotiate(accept_language: Option<&str>) -> Self {
        let (mut simplified, mut traditional, mut english, mut rest) = (None, None, None, None);
        for (position, element) in accept_language.unwrap_or_default().split(',').enumerate() {
            let Some((range, weight)) = parse_element(element) else { continue };
            let asked = match Self::of_range(range) {
                _ if range == "*" => &mut rest,
                Some(Self::Chinese) => &mut simplified,
                Some(Self::Traditional) => &mut traditional,
                Some(Self::English) => &mut english,
                None => continue,
            };
            *asked = (*asked).max(Some(Asked::new(weight, position)));
        }

        // Whoever refuses Chinese refuses either, unless the other one is named.
        let traditional = traditional.or(simplified.filter(|asked: &Asked| asked.weight < 0));
        // A language that is not named at all still ranks above one that is refused.
        let rank = |asked: Option<Asked>| asked.or(rest).unwrap_or(Asked::NOT);
        let others = [(rank(english), Self::English), (rank(traditional), Self::Traditional)];
        let first = (rank(simplified), Self::Chinese);
        others.into_iter().fold(first, |best, other| if other.0 > best.0 { other } else { best }).1
    }

    /// The language of a range such as `zh-Hant-HK`. The script decides, or else the region.
    fn of_range(range: &str) -> Option<Self> {
        let mut subtags = range.split(['-', '_']).map(str::to_ascii_lowercase);
        match subtags.next()?.as_str() {
            "en" => Some(Self::English),
            "zh" => {
                let traditional = subtags.find_map(|subtag| match subtag.as_str() {
                    "hant" | "tw" | "hk" | "mo" => Some(true),
                    "hans" => Some(false),
                    _ => None,
                });
                Some(if traditional == Some(true) { Self::Traditional } else { Self::Chinese })
            }
            _ => None,
        }
    }

    /// The BCP 47 tag, for the `lang` attribute and the `Content-Language` header.
    pub(crate) fn tag(self) -> &'static str {
        match self {
            Self::Chinese => "zh-CN",
            Self::Traditional => "zh-Hant",
            Self::English => "en",
        }
    }
}

/// How much a language is asked for. The derived order is the order of preference.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Asked {
    /// In thousandths; -1 for a language that is refused with `q=0`.
    weight: i32,
    /// Counted downwards, so that the earlier one is the greater.
    order: isize,
}

impl Asked {
    const NOT: Self = Self { weight: 0, order: 0 };

    fn new(weight: f32, position: usize) -> Self {
        // Rounded up, so that a tiny weight does not turn into a refusal.
        let weight = if weight > 0.0 { (weight * 1000.0).ceil() as i32 } else { -1 };
        Self { weight, order: -(position as isize) }
    }
}

/// One element of the list: the language range and its weight between 0 and 1.
fn parse_element(element: &str) -> Option<(&str, f32)> {
    let mut parts = element.split(';').map(str::trim);
    let range = parts.next()?;
    let weight = match parts.next() {
        None => 1.0,
        Some(parameter) => {
            let (name, value) = parameter.split_once('=')?;
            let is_weight = name.trim().eq_ignore_ascii_case("q");
            value.trim().parse().ok().filter(|weight| is_weight && (0.0..=1.0).contains(weight))?
        }
    };
    Some((range, weight))
}

#[cfg(test)]
mod tests {
    use super::Language::{self, Chinese, English, Traditional};

    #[track_caller]
    fn check(accept_language: &str, expected: Language) {
        assert_eq!(Language::negotiate(Some(accept_language)), expected, "{accept_language:?}");
    }

    #[test]
    fn without_a_header_the_language_is_chinese() {
        assert_eq!(Language::negotiate(None), Chinese);
        check("", Chinese);
    }

    #[test]
    fn what_browsers_send_is_understood() {
        check("zh-CN,zh;q=0.9,en;q=0.8", Chinese);
        check("zh-CN,zh-Hans;q=0.9", Chinese);
        check("zh-Hant-TW", Traditional);
        check("zh_CN", Chinese);
        check("en-US,en;q=0.9,zh-CN;q=0.8", English);
        check("en", English);
        check("EN-gb", English);
        check("de-DE,de;q=0.9,en;q=0.7", English);
    }

    #[test]
    fn the_higher_weight_wins_whatever_the_order() {
        check("zh;q=0.3, en;q=0.7", English);
        check("en;q=0.3, zh;q=0.7", Chinese);
        check("zh;q=0.1, en;q=0.2, zh-TW;q=0.9", Traditional);
        check("zh;q=0.998,en;Q = 0.999", English);
    }

    #[test]
    fn the_script_or_the_region_tells_which_chinese() {
        for traditional in ["zh-TW", "zh-HK,zh;q=0.9,en;q=0.8", "zh-hant", "zh_MO", "zh-Hant-CN"] {
            check(traditional, Traditional);
        }
        for simplified in ["zh-Hans-HK", "zh-SG", "zh-CN,zh-TW;q=0.9", "zh"] {
            check(simplified, Chinese);
        }
        check("en-US,zh-TW;q=0.9", English);
    }

    #[test]
    fn of_equal_weights_the_first_wins() {
        check("en, zh", English);
        check("zh, en", Chinese);
        check("en;q=0.5, zh;q=0.500", English);
    }

    #[test]
    fn a_weight_of_zero_refuses_a_language() {
        check("en;q=0", Chinese);
        check("zh;q=0, en;q=0.1", English);
        check("zh;q=0", English);
        check("zh;q=0.0, *", English);
        check("zh;q=0, en;q=0", Chinese);
        check("fr, zh;q=0.0001, en;q=0", Chinese);
    }

    #[test]
    fn the_wildcard_and_unknown_languages_lead_to_chinese() {
        check("*", Chinese);
        check("en;q=0.5, *;q=0.8", Chinese);
        check("en, *;q=0.5", English);
        check("fr, de;q=0.5", Chinese);
        check("fr, *;q=0.1", Chinese);
    }

    #[test]
    fn garbage_is_skipped() {
        for garbage in
            [";", ",,,", "q=1", ";q=1", "zh-", "-", "enen", "zh;q=en", "\u{0}", "语言", "*;q=1;q=1"]
        {
            check(garbage, Chinese);
        }
        check("zh;q=2, en;q=0.1", English);
        check("zh;q=-1, en;q=0.1", English);
        check("zh;q=NaN, en;q=0.1", English);
        check("zh;q=inf, en;q=0.1", English);
        check("zh;level=1, en;q=0.1", English);
        check("zh;q, en;q=0.1", English);
        check(" , ;; , en , ; ", English);
        check(&"en,".repeat(10_000), English);
    }
}
