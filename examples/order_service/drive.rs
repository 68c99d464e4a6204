//! An example, `order_service`: many clients at once, and what it cost the shop. Imports `client` and
//! `shop`.

use std::sync::Barrier;
use std::sync::mpsc::channel;
use std::thread;

use crate::client::{Answer, Client, ClientError, Recorded};
use crate::shop::Order;
use crate::signature::Key;

/// A service to drive.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) url: String,
    /// Another server of the same database, if there is one.
    pub(crate) sibling: Option<String>,
    pub(crate) key: Key,
}

/// How much.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// Orders for each endpoint.
    pub(crate) rounds: usize,
    /// Requests to cancel each.
    pub(crate) concurrent: usize,
}

/// Why a service cannot be driven.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DriveError {
    #[error("no answer from {url}: {error}")]
    Client { url: String, error: ClientError },
    #[error("{url} has another key: `{asked}` is answered {answer}")]
    OtherKey { url: String, asked: String, answer: Answer },
    #[error("{url} could not go on: `{asked}` is answered {answer}")]
    Failed { url: String, asked: String, answer: Answer },
    #[error("{url} is no order service: `{asked}` is answered {answer}")]
    NoService { url: String, asked: String, answer: Answer },
    #[error("a thread of the driver has died")]
    Died,
}

/// A drive that did not come to its end.
#[derive(Debug)]
pub(crate) struct Stopped {
    pub(crate) why: DriveError,
    /// What was counted until then.
    pub(crate) counted: Counted,
}

/// The two ways to cancel an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Vulnerable,
    Fixed,
}

impl Endpoint {
    fn prefix(self) -> &'static str {
        match self {
            Endpoint::Vulnerable => "/vulnerable",
            Endpoint::Fixed => "",
        }
    }

    fn path(self, order: i64) -> String {
        format!("{}/orders/{order}/cancel", self.prefix())
    }
}

/// What came of all requests to one endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) orders: usize,
    pub(crate) requests: usize,
    /// The most requests that were told that it was they who had cancelled one order.
    pub(crate) most_told: usize,
    /// Orders that were refunded twice or more.
    pub(crate) refunded_again: usize,
    /// Orders that were not refunded at all.
    pub(crate) not_refunded: usize,
    /// Orders that nobody was told to have cancelled.
    pub(crate) untold: usize,
    /// Refunded beyond what was paid.
    pub(crate) lost_cents: i64,
    /// Answers that the order is not pending.
    pub(crate) conflicts: usize,
    /// Any other answer, or none.
    pub(crate) errors: usize,
    pub(crate) first_error: Option<String>,
}

impl Tally {
    /// Counts an order and what its requests were told.
    fn count(&mut self, told: &[Result<Answer, ClientError>], order: &Order) {
        let mut cancelled = 0;
        for told in told {
            match told {
                Ok(answer) if answer.status == 200 => cancelled += 1,
                Ok(answer) if answer.field("error") == "not_pending" => self.conflicts += 1,
                Ok(answer) => self.error(answer.to_string()),
                Err(error) => self.error(error.to_string()),
            }
        }
        self.orders += 1;
        self.requests += told.len();
        self.most_told = self.most_told.max(cancelled);
        self.refunded_again += usize::from(order.refunds > 1);
        self.not_refunded += usize::from(order.refunds == 0);
        self.untold += usize::from(cancelled == 0);
        let lost = order.refunded_cents.saturating_sub(order.paid_cents).max(0);
        self.lost_cents = self.lost_cents.saturating_add(lost);
    }

    fn error(&mut self, error: String) {
        self.errors += 1;
        self.first_error.get_or_insert(error);
    }

    /// Whether each order was refunded once, and one request was told to have cancelled it. An error that
    /// another request was told is none of this: that one has done nothing, or does not know.
    fn is_right(&self) -> bool {
        let once = self.refunded_again == 0 && self.not_refunded == 0;
        once && self.untold == 0 && self.most_told <= 1
    }
}

/// What came of a request that was recorded and sent again, and of changes to it.
#[derive(Clone, Debug)]
pub(crate) struct Replay {
    pub(crate) first: Answer,
    pub(crate) again: Answer,
    /// By the other server, which has not seen it before.
    pub(crate) sibling: Option<Answer>,
    /// The order after that.
    pub(crate) order: Order,
    /// Each part that was changed, and the answer.
    pub(crate) tampered: Vec<(&'static str, Answer)>,
    /// The order that changed requests were after.
    pub(crate) untouched: Order,
}

impl Replay {
    /// Whether none of it had an effect.
    fn is_harmless(&self) -> bool {
        let again = [Some(&self.again), self.sibling.as_ref()];
        self.first.status == 200
            && again.into_iter().flatten().all(|answer| answer.status == 409)
            && self.order.refunds == 1
            && self.tampered.iter().all(|(_, answer)| answer.status == 401)
            && self.untouched.refunds == 0
            && self.untouched.status == "pending"
    }
}

/// What was counted of both endpoints.
#[derive(Clone, Debug)]
pub(crate) struct Counted {
    pub(crate) load: Load,
    pub(crate) vulnerable: Tally,
    pub(crate) fixed: Tally,
}

/// What a drive has shown.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) counted: Counted,
    pub(crate) replay: Replay,
}

impl Report {
    /// Whether the fixed endpoint did all as it should. What the vulnerable one did is for the reader.
    pub(crate) fn is_well(&self) -> bool {
        self.counted.fixed.is_right() && self.replay.is_harmless()
    }
}

/// Drives a service: both endpoints, then a replay.
pub(crate) fn drive(target: &Target, load: Load) -> Result<Report, Box<Stopped>> {
    let mut counted = Counted { load, vulnerable: Tally::default(), fixed: Tally::default() };
    match drive_all(target, &mut counted) {
        Ok(replay) => Ok(Report { counted, replay }),
        Err(why) => Err(Box::new(Stopped { why, counted })),
    }
}

fn drive_all(target: &Target, counted: &mut Counted) -> Result<Replay, DriveError> {
    let mut driver = Driver { target, client: client(target), next: first_order()? };
    driver.burst(Endpoint::Vulnerable, counted.load, &mut counted.vulnerable)?;
    driver.burst(Endpoint::Fixed, counted.load, &mut counted.fixed)?;
    driver.replay()
}

fn client(target: &Target) -> Client {
    Client::new(&target.url, target.key.clone())
}

/// Where to begin counting orders: somewhere, so that a drive can be repeated on one database.
fn first_order() -> Result<i64, DriveError> {
    let somewhere = getrandom::u64().map_err(|error| DriveError::Client {
        url: "the system".to_owned(),
        error: error.into(),
    })?;
    Ok((somewhere >> 2) as i64)
}

struct Driver<'a> {
    target: &'a Target,
    client: Client,
    next: i64,
}

impl Driver<'_> {
    /// For each of so many orders: all clients ask at once to cancel it.
    fn burst(
        &mut self,
        endpoint: Endpoint,
        load: Load,
        tally: &mut Tally,
    ) -> Result<(), DriveError> {
        let go = Barrier::new(load.concurrent);
        thread::scope(|scope| {
            let go = &go;
            let threads: Vec<_> = (0..load.concurrent)
                .map(|_| {
                    let (give, work) = channel::<Recorded>();
                    let (tell, told) = channel();
                    let client = client(self.target);
                    scope.spawn(move || {
                        for request in work {
                            go.wait();
                            if tell.send(client.send(&request)).is_err() {
                                return;
                            }
                        }
                    });
                    (give, told)
                })
                .collect();
            for _ in 0..load.rounds {
                let order = self.create()?;
                // All are signed before any is handed out: a thread that got none would leave the
                // others waiting.
                let path = endpoint.path(order);
                let sign = |_| self.client.sign("POST", &path, b"");
                let signed: Result<Vec<_>, _> = (0..load.concurrent).map(sign).collect();
                for (request, (give, _)) in self.answered(signed)?.into_iter().zip(&threads) {
                    give.send(request).map_err(|_| DriveError::Died)?;
                }
                let told = threads.iter().map(|(_, told)| told.recv());
                let told: Vec<_> = told.collect::<Result<_, _>>().map_err(|_| DriveError::Died)?;
                tally.count(&told, &self.look(order)?);
            }
            Ok(())
        })
    }

    /// Sends one request twice, to two servers where there are two; then changes it in every way.
    fn replay(&mut self) -> Result<Replay, DriveError> {
        let order = self.create()?;
        let recorded = self.signed("POST", &Endpoint::Fixed.path(order))?;
        let first = self.answered(self.client.send(&recorded))?;
        let again = self.answered(self.client.send(&recorded))?;
        let sibling = self.target.sibling.as_ref().map(|url| {
            let client = Client::new(url, self.target.key.clone());
            client.send(&recorded).map_err(|error| DriveError::Client { url: url.clone(), error })
        });
        let sibling = sibling.transpose()?;

        // What an attacker is after: an order that nobody has asked to cancel.
        let other = self.create()?;
        let recorded = self.signed("POST", &Endpoint::Fixed.path(other))?;
        let mut tampered = Vec::new();
        for (part, request) in tamper(&recorded, order) {
            tampered.push((part, self.answered(self.client.send(&request))?));
        }
        let (order, untouched) = (self.look(order)?, self.look(other)?);
        Ok(Replay { first, again, sibling, order, tampered, untouched })
    }

    fn signed(&self, method: &'static str, path: &str) -> Result<Recorded, DriveError> {
        self.answered(self.client.sign(method, path, b""))
    }

    /// A new order, paid.
    fn create(&mut self) -> Result<i64, DriveError> {
        let order = self.next;
        self.next += 1;
        let body = serde_json::json!({ "id": order, "cents": 4_999 }).to_string();
        let answer = self.answered(self.client.ask("POST", "/orders", body.as_bytes()))?;
        self.expected("POST /orders", answer, 201)?;
        Ok(order)
    }

    fn look(&self, order: i64) -> Result<Order, DriveError> {
        let path = format!("/orders/{order}");
        let asked = format!("GET {path}");
        let answer = self.answered(self.client.ask("GET", &path, b""))?;
        let answer = self.expected(&asked, answer, 200)?;
        let order = serde_json::from_value(answer.body.clone());
        order.map_err(|_| self.unexpected(&asked, answer))
    }

    fn expected(&self, asked: &str, answer: Answer, status: u16) -> Result<Answer, DriveError> {
        if answer.status == status { Ok(answer) } else { Err(self.unexpected(asked, answer)) }
    }

    fn unexpected(&self, asked: &str, answer: Answer) -> DriveError {
        let (url, asked) = (self.target.url.clone(), asked.to_owned());
        match answer.field("error") {
            "unauthorized" => DriveError::OtherKey { url, asked, answer },
            "" => DriveError::NoService { url, asked, answer },
            _ => DriveError::Failed { url, asked, answer },
        }
    }

    fn answered<T>(&self, answer: Result<T, ClientError>) -> Result<T, DriveError> {
        let url = &self.target.url;
        answer.map_err(|error| DriveError::Client { url: url.clone(), error })
    }
}

/// A request with each of its parts changed, one at a time.
fn tamper(recorded: &Recorded, other_order: i64) -> Vec<(&'static str, Recorded)> {
    let change = |part, change: &dyn Fn(&mut Recorded)| {
        let mut changed = recorded.clone();
        change(&mut changed);
        (part, changed)
    };
    vec![
        change("method", &|request| request.method = "PUT"),
        change("path", &|request| request.path = Endpoint::Fixed.path(other_order)),
        change("endpoint", &|request| request.path = format!("/vulnerable{}", recorded.path)),
        change("query", &|request| request.query = Some(String::new())),
        change("body", &|request| request.body.push(b' ')),
        change("time", &|request| request.signed.stamp.time += 1),
        change("nonce", &|request| request.signed.stamp.nonce[0] ^= 1),
        change("signature", &|request| request.signed.spoil()),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(status: u16, error: &str) -> Result<Answer, ClientError> {
        Ok(Answer { status, body: json!({ "error": error }) })
    }

    fn order(refunds: usize) -> Order {
        let refunded_cents = refunds as i64 * 100;
        let status = "cancelled".to_owned();
        Order { id: 1, status, paid_cents: 100, refunds, refunded_cents }
    }

    fn tally(told: &[Result<Answer, ClientError>], refunds: usize) -> Tally {
        let mut tally = Tally::default();
        tally.count(told, &order(refunds));
        tally
    }

    #[test]
    fn one_refund_and_conflicts_are_right() {
        let tally = tally(&[answer(409, "not_pending"), answer(200, "")], 1);
        assert!(tally.is_right());
        assert_eq!((tally.most_told, tally.conflicts, tally.errors), (1, 1, 0));
        assert_eq!(tally.lost_cents, 0);
    }

    #[test]
    fn a_second_refund_is_money_lost_whatever_clients_were_told() {
        let tally = tally(&[answer(200, ""), answer(409, "not_pending")], 3);
        assert!(!tally.is_right());
        assert_eq!((tally.refunded_again, tally.lost_cents), (1, 200));
    }

    #[test]
    fn two_that_were_told_cancelled_are_not_right_even_if_one_was_refunded() {
        assert!(!tally(&[answer(200, ""), answer(200, "")], 1).is_right());
    }

    #[test]
    fn an_order_that_was_cancelled_and_told_to_nobody_is_not_right() {
        let tally = tally(&[answer(409, "not_pending"), answer(500, "unknown")], 1);
        assert!(!tally.is_right());
        assert_eq!((tally.untold, tally.errors, tally.not_refunded), (1, 1, 0));
    }

    #[test]
    fn a_service_that_does_nothing_is_not_taken_for_a_safe_one() {
        let tally = tally(&[answer(503, "unavailable"), answer(409, "replayed")], 0);
        assert!(!tally.is_right());
        assert_eq!((tally.errors, tally.conflicts), (2, 0));
        assert_eq!(tally.first_error.as_deref(), Some("503 unavailable"));
    }
}
