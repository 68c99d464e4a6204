//! An example, `order_service`: the shop as an Actix service. Imports its neighbours, `toctou::db` and
//! `toctou::handlers`.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::middleware::{Next, from_fn};
use actix_web::{App, Error, HttpResponse, ResponseError, web};
use serde_json::{Value, json};
use toctou::db::Database;
use toctou::handlers::{Ended, HandlerError};

use crate::shop::{CancelError, Shop};
use crate::signature::{HEADERS, Key, Request, Seen, Signed, Turned};

/// The longest body that is read, of signed requests and of others.
const LONGEST_BODY: usize = 4096;

/// Lets in what is signed, timely and new.
pub(crate) struct Gate {
    key: Key,
    seen: Seen,
    /// Seconds since 1970.
    clock: fn() -> u64,
}

impl Gate {
    /// For requests signed with this key.
    pub(crate) fn new(key: Key, clock: fn() -> u64) -> Self {
        Gate { key, seen: Seen::default(), clock }
    }

    /// The body of a request that may go on. Whatever is wrong with a signature, a stranger learns no
    /// more than that it is; only who has the key is told of clocks and replays. (A body that is longer
    /// than any that is read cannot be verified. Whoever sends one, with headers of the right form, is
    /// told that.)
    async fn admit(&self, request: &mut ServiceRequest) -> Result<web::Bytes, Refusal> {
        let signed = signed(request).ok_or(Refusal::NotSigned)?;
        let body = request.extract::<web::Bytes>().await.map_err(|_| Refusal::NoBody)?;
        let asked = Request {
            method: request.method().as_str(),
            path: request.uri().path(),
            query: request.uri().query(),
            body: &body,
        };
        if !self.key.verifies(&asked, signed) {
            return Err(Refusal::NotSigned);
        }
        self.seen.admit(signed.stamp, (self.clock)())?;
        Ok(body)
    }
}

/// What the headers say, each of which is there once.
fn signed(request: &ServiceRequest) -> Option<Signed> {
    let mut texts = [""; HEADERS.len()];
    for (text, name) in texts.iter_mut().zip(HEADERS) {
        let mut values = request.headers().get_all(name);
        *text = values.next()?.to_str().ok()?;
        if values.next().is_some() {
            return None;
        }
    }
    Signed::parse(texts)
}

async fn gate(
    gate: web::Data<Gate>,
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse, Error> {
    match gate.admit(&mut request).await {
        Ok(body) => {
            request.set_payload(Payload::from(body));
            Ok(next.call(request).await?.map_into_boxed_body())
        }
        Err(refusal) => Ok(request.into_response(refusal.error_response())),
    }
}

/// The service. Nothing of it, not even that a path is not there, is told to who has not signed.
pub(crate) fn app<D>(
    shop: web::Data<Shop<D>>,
    of: web::Data<Gate>,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse,
        Error = Error,
        InitError = (),
    >,
>
where
    D: Database + Clone + Send + Sync + 'static,
{
    let at = |path: &str| web::resource(path.to_owned()).default_service(web::to(other_method));
    App::new()
        .app_data(shop)
        .app_data(of)
        .app_data(web::PayloadConfig::new(LONGEST_BODY))
        .app_data(web::PathConfig::default().error_handler(|_, _| Refusal::NoSuchPath.into()))
        .service(at("/orders").post(create::<D>))
        .service(at("/orders/{id}").get(look::<D>))
        .service(at("/orders/{id}/cancel").post(cancel::<D>))
        .service(at("/vulnerable/orders/{id}/cancel").post(cancel_vulnerable::<D>))
        .default_service(web::to(nowhere))
        .wrap(from_fn(gate))
}

/// An order as it is asked for.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// Chosen by who asks, so that to ask twice is to get one order.
    id: i64,
    cents: i64,
}

async fn create<D>(shop: web::Data<Shop<D>>, body: web::Bytes) -> Result<HttpResponse, Refusal>
where
    D: Database + Clone + Send + Sync + 'static,
{
    let wanted = serde_json::from_slice(&body).ok().filter(|wanted: &Wanted| wanted.cents > 0);
    let Wanted { id, cents } = wanted.ok_or(Refusal::NotAnOrder)?;
    match blocking(move || shop.create(id, cents)).await? {
        true => Ok(HttpResponse::Created().json(json!({ "id": id, "status": "pending" }))),
        false => Err(Refusal::OrderExists),
    }
}

async fn look<D>(shop: web::Data<Shop<D>>, id: web::Path<i64>) -> Result<HttpResponse, Refusal>
where
    D: Database + Clone + Send + Sync + 'static,
{
    let order = blocking(move || shop.order(*id)).await?;
    Ok(HttpResponse::Ok().json(order.ok_or(Refusal::NoSuchOrder)?))
}

async fn cancel<D>(shop: web::Data<Shop<D>>, id: web::Path<i64>) -> Result<HttpResponse, Refusal>
where
    D: Database + Clone + Send + Sync + 'static,
{
    cancelled(blocking(move || shop.cancel(*id)).await?)
}

async fn cancel_vulnerable<D>(
    shop: web::Data<Shop<D>>,
    id: web::Path<i64>,
) -> Result<HttpResponse, Refusal>
where
    D: Database + Clone + Send + Sync + 'static,
{
    cancelled(blocking(move || shop.cancel_vulnerable(*id)).await?)
}

fn cancelled(ended: Ended) -> Result<HttpResponse, Refusal> {
    match ended {
        Ended::ByThis => Ok(HttpResponse::Ok().json(json!({ "status": "cancelled" }))),
        Ended::NotPending(status) => Err(Refusal::NotPending(status.as_ref().into())),
        Ended::NoSuchOrder => Err(Refusal::NoSuchOrder),
    }
}

async fn nowhere() -> Result<HttpResponse, Refusal> {
    Err(Refusal::NoSuchPath)
}

async fn other_method() -> Result<HttpResponse, Refusal> {
    Err(Refusal::OtherMethod)
}

/// Calls of a database block: they get a thread on which nothing else has to go on.
async fn blocking<T, E>(call: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<T, Refusal>
where
    T: Send + 'static,
    E: Into<Refusal> + Send + 'static,
{
    web::block(call).await.map_err(|_| Refusal::Stopping)?.map_err(Into::into)
}

/// Why a request has not what it asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("not signed, or not with this key")]
    NotSigned,
    #[error("signed too long ago, or the clocks differ: sign it anew")]
    Stale,
    #[error("this very request was sent before; nothing was done again")]
    Replayed,
    #[error("no such path")]
    NoSuchPath,
    #[error("this path has no such method")]
    OtherMethod,
    #[error("the body cannot be read, or is longer than {LONGEST_BODY} bytes")]
    NoBody,
    #[error(r#"an order is {{"id": 42, "cents": 4999}}, and costs something"#)]
    NotAnOrder,
    #[error("there is an order of that number")]
    OrderExists,
    #[error("no such order")]
    NoSuchOrder,
    #[error("the order is not pending, it is {0}")]
    NotPending(Box<str>),
    #[error("too many requests; ask again in a minute")]
    Full,
    #[error("the service is going away; ask again")]
    Stopping,
    #[error(transparent)]
    Handler(#[from] HandlerError),
    #[error(transparent)]
    Owed(CancelError),
}

impl From<Turned> for Refusal {
    fn from(turned: Turned) -> Self {
        match turned {
            Turned::Stale => Refusal::Stale,
            Turned::Replayed => Refusal::Replayed,
            Turned::Full => Refusal::Full,
        }
    }
}

impl From<CancelError> for Refusal {
    fn from(error: CancelError) -> Self {
        match error {
            CancelError::Cancel(error) => Refusal::Handler(error),
            owed @ CancelError::Refund(_) => Refusal::Owed(owed),
        }
    }
}

impl Refusal {
    /// A word for programs. What the database itself said is for the server's own log.
    fn told(&self) -> (&'static str, String) {
        let word = match self {
            Refusal::NotSigned => "unauthorized",
            Refusal::Stale => "stale",
            Refusal::Replayed => "replayed",
            Refusal::NoSuchPath => "no_such_path",
            Refusal::OtherMethod => "other_method",
            Refusal::NoBody => "no_body",
            Refusal::NotAnOrder => "not_an_order",
            Refusal::OrderExists => "order_exists",
            Refusal::NoSuchOrder => "no_such_order",
            Refusal::NotPending(_) => "not_pending",
            Refusal::Full | Refusal::Stopping => "unavailable",
            Refusal::Handler(error) if error.is_temporary() => {
                return ("unavailable", "nothing was done; ask again later".to_owned());
            }
            Refusal::Handler(HandlerError::Unknown(_)) => {
                let message = "whether it was done is not known; look before asking again";
                return ("unknown", message.to_owned());
            }
            Refusal::Handler(_) => return ("failed", "nothing was done".to_owned()),
            Refusal::Owed(_) => {
                let message = "the order is cancelled, its refund may be owed";
                return ("refund_owed", message.to_owned());
            }
        };
        (word, self.to_string())
    }

    fn body(&self) -> Value {
        let (error, message) = self.told();
        match self {
            Refusal::NotPending(status) => {
                json!({ "error": error, "message": message, "status": status })
            }
            _ => json!({ "error": error, "message": message }),
        }
    }
}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        match self {
            Refusal::NotSigned | Refusal::Stale => StatusCode::UNAUTHORIZED,
            Refusal::NoSuchPath | Refusal::NoSuchOrder => StatusCode::NOT_FOUND,
            Refusal::OtherMethod => StatusCode::METHOD_NOT_ALLOWED,
            Refusal::NoBody => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::NotAnOrder => StatusCode::BAD_REQUEST,
            Refusal::Replayed | Refusal::OrderExists | Refusal::NotPending(_) => {
                StatusCode::CONFLICT
            }
            Refusal::Full | Refusal::Stopping => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::Handler(error) if error.is_temporary() => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::Handler(_) | Refusal::Owed(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        if matches!(self, Refusal::Handler(_) | Refusal::Owed(_)) {
            eprintln!("order_service: {self}");
        }
        let mut response = HttpResponse::build(self.status_code());
        if self.status_code() == StatusCode::UNAUTHORIZED {
            response.insert_header(("www-authenticate", "HMAC-SHA256"));
        }
        response.json(self.body())
    }
}
