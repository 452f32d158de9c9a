//! All pages of the product side by side, with the platform's name as it is set now.

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use wechat_authorizer::config::Config;
use wechat_authorizer::page::{Picture, gallery};

use crate::platform::Platform;

/// The languages by tag and name.
const LANGUAGES: [(&str, &str); 3] = [("zh-CN", "简体"), ("zh-Hant", "繁體"), ("en", "English")];

/// The picture of the account on the pages is made up, and so is its address. A grey one takes its place.
const MADE_UP: &str = "https://wx.qlogo.cn/mmopen/abc/0";
const GREY: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg'%3E%3Crect width='100%25' height='100%25' \
                    fill='%23888'/%3E%3C/svg%3E";

#[derive(Template)]
#[template(path = "gallery.html")]
struct Gallery<'a> {
    language: &'a str,
    languages: [(&'static str, &'static str); 3],
    names: Vec<&'static str>,
}

/// `/gallery/en` shows them, `/gallery/en/complete` is one of them.
pub(crate) fn router(platform: &Platform) -> Router {
    let shown = platform.clone();
    Router::new()
        .route("/gallery", get(Redirect::to("/gallery/zh-CN")))
        .route(
            "/gallery/{language}",
            get(async move |Path(language): Path<String>| {
                let mut pictures = pictures(&shown);
                pictures.retain(|picture| picture.language == language);
                let names = pictures.iter().map(|picture| picture.name).collect();
                let page = Gallery { language: &language, languages: LANGUAGES, names };
                match page.names[..] {
                    [] => not_found(),
                    _ => Html(page.render().expect("the template renders")).into_response(),
                }
            }),
        )
        .route(
            "/gallery/{language}/{name}",
            get({
                let platform = platform.clone();
                async move |Path((language, name)): Path<(String, String)>| one(&platform, &language, &name)
            }),
        )
}

fn one(platform: &Platform, language: &str, name: &str) -> Response {
    let picture =
        pictures(platform).into_iter().find(|picture| (picture.language, picture.name) == (language, name));
    match picture {
        None => not_found(),
        Some(Picture { html, .. }) => {
            let html = html.replace(MADE_UP, GREY);
            ([(header::CONTENT_SECURITY_POLICY, "img-src data:")], Html(html)).into_response()
        }
    }
}

fn not_found() -> Response {
    (StatusCode::NOT_FOUND, "There is no such page in the gallery.").into_response()
}

fn pictures(platform: &Platform) -> Vec<Picture> {
    let variables = platform.variables();
    let config = Config::from_variables(|name| variables.get(name).cloned());
    gallery(&config.expect("the platform runs with it").face)
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::extract::Request;
    use lambda_http::Service;
    use sandbox::Sandbox;

    use super::*;

    async fn page(platform: &Platform, address: &str) -> (u16, String) {
        let request = Request::get(address).body(Body::empty()).expect("a request");
        let Ok(answer) = router(platform).call(request).await;
        let status = answer.status().as_u16();
        let body = to_bytes(answer.into_body(), usize::MAX).await.expect("a whole answer");
        (status, String::from_utf8(body.to_vec()).expect("text"))
    }

    #[tokio::test]
    async fn every_page_is_shown_in_every_language_under_the_platforms_name() {
        let platform = Platform::new(Sandbox::start().await);
        platform.configure(&[("PLATFORM_NAME", "一号店管家")]).expect("a name");
        for (language, _) in LANGUAGES {
            let (status, list) = page(&platform, &format!("/gallery/{language}")).await;
            assert_eq!(status, 200);
            let pages: Vec<_> =
                list.split("src=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
            assert!(pages.len() > 15, "{}", pages.len());
            for address in pages {
                let (status, html) = page(&platform, address).await;
                assert_eq!(status, 200, "{address}");
                assert!(html.contains(&format!("<html lang=\"{language}\">")) && html.contains("一号店管家"));
                assert!(!html.contains("src=\"http"), "{address} loads what is elsewhere");
            }
        }
        assert_eq!(page(&platform, "/gallery/fr").await.0, 404);
        assert_eq!(page(&platform, "/gallery/en/nothing").await.0, 404);
    }
}
