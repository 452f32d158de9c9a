//! One authorization in the order in which it happened, from the launch page to the latest change of its record.

mod record;
mod step;
mod trail;

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use sandbox::Sandbox;
use sandbox::wechat::Agreement;

use crate::live;
use crate::mask::Mask;
use crate::platform::Platform;
use step::Step;
use trail::Trail;

/// The page ends after this many: an account may stay authorized for years.
const MOST_STEPS: usize = 300;

#[derive(Template)]
#[template(path = "timeline.html")]
struct Page {
    name: String,
    appid: String,
    sets: String,
    rows: Vec<Row>,
    cut: bool,
    script: &'static str,
}

/// A step, and how long after the first one it happened.
struct Row {
    after: String,
    step: Step,
}

/// `/timeline/0` is that of the first consent.
pub(crate) fn router(sandbox: &Sandbox, platform: Option<&Platform>) -> Router {
    let (sandbox, platform) = (sandbox.clone(), platform.cloned());
    Router::new().route(
        "/timeline/{number}",
        get(async move |Path(number): Path<usize>| match page(&sandbox, platform.as_ref(), number).await {
            Some(html) => Html(html).into_response(),
            None => not_found(),
        }),
    )
}

fn not_found() -> Response {
    (StatusCode::NOT_FOUND, "There is no authorization with this number.").into_response()
}

/// The consents so far, in order.
pub(crate) fn agreements(sandbox: &Sandbox) -> Vec<Agreement> {
    sandbox.wechat.consents().into_iter().filter_map(|visit| visit.agreement).collect()
}

async fn page(sandbox: &Sandbox, platform: Option<&Platform>, number: usize) -> Option<String> {
    let consents = sandbox.wechat.consents();
    let trail = Trail::of(&consents, number)?;
    let mut steps = step::all(sandbox, platform, &consents);
    steps.extend(record::changes(sandbox, &trail.authorizer_appid).await);
    steps.sort_by_key(|step| step.at);
    steps.retain(|step| trail.has(step));
    let began = steps.first()?.at;
    let cut = steps.len() > MOST_STEPS;
    let rows = steps.into_iter().take(MOST_STEPS);
    let rows = rows.map(|step| Row { after: after((step.at - began).as_secs_f64()), step }).collect();
    let agreement = agreements(sandbox).into_iter().nth(number)?;
    let sets = agreement.permission_set_ids.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
    let page = Page {
        name: agreement.nick_name,
        appid: agreement.authorizer_appid,
        sets,
        rows,
        cut,
        script: live::SCRIPT,
    };
    let mask = Mask::new([sandbox.wechat.secrets(), trail.launches].concat());
    Some(mask.apply(&page.render().expect("the template renders")))
}

fn after(seconds: f64) -> String {
    match seconds {
        ..60.0 => format!("{seconds:.3} s"),
        ..3600.0 => format!("{:.0} min", seconds / 60.0),
        _ => format!("{:.1} h", seconds / 3600.0),
    }
}

#[cfg(test)]
mod tests;
