//! A function that does nothing.

use lambda_http::{Body, Error, Request, Response, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_http::run(service_fn(handle)).await
}

async fn handle(_: Request) -> Result<Response<Body>, Error> {
    Ok(Response::new(Body::Empty))
}
