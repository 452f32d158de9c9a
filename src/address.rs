//! Addresses that are put together.

use reqwest::Url;

/// The address `path`, which begins with a slash, below `base`: what `base` has of a path stays, as that of a relay.
pub(crate) fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
    url.set_query(None);
    url.set_fragment(None);
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_a_relay_is_kept() {
        for (base, expected) in [
            ("https://api.weixin.qq.com", "https://api.weixin.qq.com/cgi-bin/x"),
            ("https://relay.example/weixin-api", "https://relay.example/weixin-api/cgi-bin/x"),
            ("https://relay.example/weixin-api/?a=b#c", "https://relay.example/weixin-api/cgi-bin/x"),
        ] {
            assert_eq!(below(&base.parse().expect("a URL"), "/cgi-bin/x").as_str(), expected);
        }
    }
}
