//! What a link to the launch page asks for.

use lambda_http::{Request, RequestExt};
use reqwest::Url;

use crate::address::below;
use crate::evidence::{LaunchId, State};
use crate::launches::USUAL_AUTH_TYPE;
use crate::store::LaunchRequest;
use crate::visit::parameter;
use crate::wechat::Appid;

/// What the visitor's link asks for.
pub(super) enum Wanted {
    /// A launch that a service began.
    Launch(LaunchId),
    /// A launch of the visitor's own.
    New { state: Option<State>, request: LaunchRequest },
}

impl Wanted {
    /// The parameters, absent or empty ones as their defaults. None if one is malformed.
    pub(super) fn read(request: &Request) -> Option<Self> {
        let query = request.query_string_parameters();
        let parameter = |name| parameter(&query, name);
        if let Some(id) = parameter("launch") {
            return LaunchId::parse(id).map(Self::Launch);
        }
        let ids = parameter("category_id_list").map(|ids| ids.split('|').map(str::parse).collect());
        Some(Self::New {
            state: match parameter("state") {
                Some(state) => Some(State::parse(state)?),
                None => None,
            },
            request: LaunchRequest::parse(
                parameter("auth_type").unwrap_or_default(),
                parameter("biz_appid").unwrap_or_default(),
                &ids.transpose().ok()?.unwrap_or_else(Vec::new),
            )?,
        })
    }

    /// The address of this launch page.
    pub(super) fn address(&self, origin: &Url) -> Url {
        let parameters = match self {
            Self::Launch(id) => vec![("launch", Some(id.as_str()))],
            Self::New { state, request } => vec![
                ("state", state.as_ref().map(State::as_str)),
                ("auth_type", Some(&*request.auth_type).filter(|kind| *kind != USUAL_AUTH_TYPE)),
                ("biz_appid", request.biz_appid.as_ref().map(Appid::as_str)),
                ("category_id_list", request.category_id_list.as_deref()),
            ],
        };
        let mut url = below(origin, "/authorize");
        for (name, value) in parameters {
            if let Some(value) = value {
                url.query_pairs_mut().append_pair(name, value);
            }
        }
        url
    }
}
