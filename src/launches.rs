//! How a launch begins: its `pre_auth_code`, its item, and the links to WeChat. For the page and for services.

use reqwest::Url;

use crate::address::below;
use crate::component::{Cause, ComponentError};
use crate::config::Config;
use crate::deadline::Deadline;
use crate::evidence::{Cookie, LaunchId, MadeBy, State};
use crate::services::Services;
use crate::store::{Launch, LaunchRequest, NewLaunch};
use crate::time::Timestamp;
use crate::wechat::{Appid, ComponentAccessToken, Issued, PreAuthCode};

/// What the merchant may authorize where nothing is asked for: 3 is Official Accounts and Mini Programs.
pub(crate) const USUAL_AUTH_TYPE: &str = "3";

/// The values of `auth_type` that WeChat defines.
const AUTH_TYPES: [&str; 7] = ["1", "2", "3", "4", "5", "6", "8"];

/// Beginner of launches.
#[derive(Clone, Debug)]
pub(crate) struct Launches {
    services: Services,
    component_appid: Appid,
    pc_base_url: Url,
    mobile_base_url: Url,
}

/// How many permission sets a launch may name. WeChat has fewer.
const MOST_CATEGORIES: usize = 200;

/// A launch that can be ended.
#[derive(Clone, Debug)]
pub(crate) struct Begun {
    /// Its id.
    pub id: LaunchId,
    /// The code that WeChat's page begins with.
    pub pre_auth_code: PreAuthCode,
    /// When it began.
    pub began: Timestamp,
}

/// The way back to the platform: a launch's own address or that of all, with the launch's id and nothing that looks like
/// a proof.
pub(crate) fn way_back(of_all: Option<&Url>, launch: Option<(&LaunchId, &Launch)>) -> Option<String> {
    let own = launch.and_then(|(_, launch)| launch.return_url.as_deref()?.parse().ok());
    let mut url: Url = own.or_else(|| of_all.cloned())?;
    if let Some((id, _)) = launch {
        url.query_pairs_mut().append_pair("launch", id.as_str());
    }
    Some(url.into())
}

impl LaunchRequest {
    /// The request with these parameters, where absent ones are empty. None if one is malformed, or longer than WeChat's
    /// address can be.
    pub(crate) fn parse(auth_type: &str, biz_appid: &str, category_ids: &[u32]) -> Option<Self> {
        if category_ids.len() > MOST_CATEGORIES {
            return None;
        }
        let auth_type = if auth_type.is_empty() { USUAL_AUTH_TYPE } else { auth_type };
        let ids: Vec<String> = category_ids.iter().map(u32::to_string).collect();
        Some(Self {
            auth_type: AUTH_TYPES.contains(&auth_type).then(|| auth_type.to_owned())?,
            biz_appid: match biz_appid {
                "" => None,
                appid => Some(Appid::parse_component(appid)?),
            },
            category_id_list: (!ids.is_empty()).then(|| ids.join("|")),
        })
    }
}

impl Launches {
    /// The beginner on these services.
    pub(crate) fn new(config: &Config, services: Services) -> Self {
        Self {
            services,
            component_appid: config.component_appid.clone(),
            pc_base_url: config.wechat_pc_base_url.clone(),
            mobile_base_url: config.wechat_mobile_base_url.clone(),
        }
    }

    /// Begins a launch. It is stored before anybody hears of it: one that cannot be recognized later is of no use.
    pub(crate) async fn begin(
        &self,
        made_by: MadeBy,
        state: Option<&State>,
        return_url: Option<&str>,
        request: &LaunchRequest,
        has_cookie: bool,
        deadline: Deadline,
    ) -> Result<(Begun, Option<Cookie>), Cause> {
        let issued = self.pre_auth_code(deadline).await?;
        let (id, began) = (LaunchId::random(), self.services.clock.now());
        let cookie = has_cookie.then(|| Cookie::random(&id));
        let launch = NewLaunch {
            made_by,
            state,
            return_url,
            request,
            pre_auth_code: &issued,
            cookie: cookie.as_ref(),
        };
        let put = self.services.store.put_launch(&id, &launch, began).await;
        put.map_err(|error| Cause::Component(ComponentError::Store(error)))?;
        Ok((Begun { id, pre_auth_code: issued.token, began }, cookie))
    }

    /// Opens a launch that began before, for a browser that brings `cookie` or gets one. Its `pre_auth_code` serves again
    /// while it is young.
    pub(crate) async fn open(
        &self,
        id: LaunchId,
        launch: &Launch,
        cookie: Option<&Cookie>,
        deadline: Deadline,
    ) -> Result<(Begun, Option<Cookie>), Cause> {
        let began = self.services.clock.now();
        let new_cookie = cookie.is_none().then(|| Cookie::random(&id));
        let young = launch.pre_auth_code.as_ref().filter(|(_, reused_until)| began < *reused_until);
        let (pre_auth_code, issued) = match young {
            Some((code, _)) => (code.clone(), None),
            None => {
                let issued = self.pre_auth_code(deadline).await?;
                (issued.token.clone(), Some(issued))
            }
        };
        let opening = self.services.store.open_launch(launch, new_cookie.as_ref(), issued.as_ref(), began);
        let takes_cookie = opening.await.map_err(|error| Cause::Component(ComponentError::Store(error)))?;
        Ok((Begun { id, pre_auth_code, began }, new_cookie.filter(|_| takes_cookie)))
    }

    async fn pre_auth_code(&self, deadline: Deadline) -> Result<Issued<PreAuthCode>, Cause> {
        let create = |token: ComponentAccessToken, limit| async move {
            self.services.wechat.create_pre_auth_code(&token, limit).await
        };
        let answer = self.services.component.call(None, deadline, create).await;
        answer.map(|called| called.answer).map_err(|failure| failure.cause)
    }

    /// The consent page for desktops, which shows a QR code.
    pub(crate) fn pc_url(&self, begun: &Begun, request: &LaunchRequest, origin: &Url) -> String {
        let mut url = below(&self.pc_base_url, "/cgi-bin/componentloginpage");
        self.add_query(&mut url, begun, request, origin);
        url.into()
    }

    /// The consent page inside WeChat.
    pub(crate) fn mobile_url(&self, begun: &Begun, request: &LaunchRequest, origin: &Url) -> String {
        let mut url = below(&self.mobile_base_url, "/wxaopen/safe/bindcomponent");
        url.query_pairs_mut().append_pair("action", "bindcomponent").append_pair("no_scan", "1");
        self.add_query(&mut url, begun, request, origin);
        url.set_fragment(Some("wechat_redirect"));
        url.into()
    }

    fn add_query(&self, url: &mut Url, begun: &Begun, request: &LaunchRequest, origin: &Url) {
        let mut redirect_uri = below(origin, "/callback");
        redirect_uri.query_pairs_mut().append_pair("launch", begun.id.as_str());
        let mut query = url.query_pairs_mut();
        query
            .append_pair("component_appid", self.component_appid.as_str())
            .append_pair("pre_auth_code", begun.pre_auth_code.expose())
            .append_pair("redirect_uri", redirect_uri.as_str())
            .append_pair("auth_type", &request.auth_type);
        if let Some(appid) = &request.biz_appid {
            query.append_pair("biz_appid", appid.as_str());
        }
        if let Some(ids) = &request.category_id_list {
            query.append_pair("category_id_list", ids);
        }
    }
}
