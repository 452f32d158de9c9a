//! Requests, and the payload 2.0 events that API Gateway makes of them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::date::access_log_time;
use crate::opaque;

/// A request as it reaches API Gateway.
#[derive(Clone, Debug)]
pub struct HttpRequest {
    /// `GET`, `HEAD` or `POST`.
    pub method: String,
    /// As it was sent, percent signs and all.
    pub path: String,
    /// As it was sent, without the question mark.
    pub query: String,
    /// In the order in which they came.
    pub headers: Vec<(String, String)>,
    /// Empty where there is none.
    pub body: Vec<u8>,
}

impl HttpRequest {
    /// A request without headers but the host.
    pub fn new(method: &str, path_and_query: &str) -> Self {
        let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: vec![("Host".to_owned(), DOMAIN_NAME.to_owned())],
            body: Vec::new(),
        }
    }

    /// A `GET`.
    pub fn get(path_and_query: &str) -> Self {
        Self::new("GET", path_and_query)
    }

    /// A `HEAD`.
    pub fn head(path_and_query: &str) -> Self {
        Self::new("HEAD", path_and_query)
    }

    /// A `POST` with a body.
    pub fn post(path_and_query: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..Self::new("POST", path_and_query) }
    }

    /// With one more header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn find(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// The domain of the event files.
pub const DOMAIN_NAME: &str = "platform.example.com";

/// Where WeChat's redirect with an authorization code leads: path and query.
pub fn redirect(code: &str) -> String {
    format!("/callback?auth_code={}&expires_in=3600", code.replace('@', "%40"))
}

/// The event that API Gateway sends for a request at `now`.
pub fn event(request: &HttpRequest, now: i64) -> Value {
    let domain_name = request.find("host").unwrap_or(DOMAIN_NAME);
    let text = std::str::from_utf8(&request.body).ok().filter(|_| is_text(request.find("content-type")));
    let body = text.map_or_else(|| STANDARD.encode(&request.body), str::to_owned);
    // The one route with a parameter.
    let appid = request.path.strip_prefix("/messages/").filter(|appid| !appid.is_empty());
    let route = if appid.is_some() { "/messages/{appid}" } else { &request.path };
    let route_key = format!("{} {route}", request.method);
    let mut event = json!({
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": request.path,
        "rawQueryString": request.query,
        "headers": joined(request.headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("cookie"))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))),
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "a1b2c3d4e5",
            "domainName": domain_name,
            "domainPrefix": domain_name.split('.').next(),
            "http": {
                "method": request.method,
                "path": request.path,
                "protocol": "HTTP/1.1",
                "sourceIp": "203.0.113.5",
                "userAgent": request.find("user-agent").unwrap_or_default(),
            },
            "requestId": opaque::token(15),
            "routeKey": route_key,
            "stage": "$default",
            "time": access_log_time(now),
            "timeEpoch": now * 1000,
        },
        "isBase64Encoded": text.is_none() && !request.body.is_empty(),
    });
    if !request.query.is_empty() {
        let parameters = form_urlencoded::parse(request.query.as_bytes());
        event["queryStringParameters"] = joined(parameters.into_owned());
    }
    if let Some(appid) = appid {
        event["pathParameters"] = json!({"appid": appid});
    }
    if !body.is_empty() {
        event["body"] = json!(body);
    }
    if let Some(cookies) = request.find("cookie") {
        event["cookies"] = cookies.split(';').map(str::trim).collect();
    }
    event
}

/// API Gateway goes by the content type; what does not look like text travels in base64.
fn is_text(content_type: Option<&str>) -> bool {
    const TEXT: [&str; 4] = ["text/", "application/json", "application/javascript", "application/xml"];
    content_type.is_some_and(|content_type| TEXT.iter().any(|text| content_type.starts_with(text)))
}

/// Values of one name are joined with commas.
fn joined(pairs: impl Iterator<Item = (String, String)>) -> Value {
    let mut map = Map::new();
    for (name, value) in pairs {
        let value = match map.get(&name).and_then(Value::as_str) {
            Some(before) => format!("{before},{value}"),
            None => value,
        };
        map.insert(name, value.into());
    }
    map.into()
}
