//! First floor, `db`: a connection to PostgreSQL, and what is said in it. Imports its neighbours in
//! `db`, tokio-postgres, and of tokio a loop for one connection.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::time::timeout;
use tokio_postgres::error::DbError;
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{AsyncMessage, Client, Connection, Error, NoTls};

use super::super::link::{Wire, unread};
use super::super::{Answer, Dialect, Query, Row, SqlError, SqlState, Statement, Value};
use super::blocking::may_block;
use super::error::{failed, said};
use super::target::Target;

/// How long it may take to tell a server that a connection is over.
const GOODBYE: Duration = Duration::from_secs(1);

/// Who hears what the server says without being asked.
pub(in crate::db) type Notices = Box<dyn Fn(&DbError) + Send>;

/// A client, and the statements prepared in its connection.
pub(in crate::db) struct Server {
    // Dropped first: with it ends the connection.
    client: Client,
    prepared: HashMap<String, tokio_postgres::Statement>,
    exchange: Exchange,
    opened: Instant,
}

impl Server {
    pub(in crate::db) fn connect(target: &Target) -> Result<Self, SqlError> {
        Self::noticing(target, Box::new(|_| {}))
    }

    /// The same, with an ear for notices.
    pub(in crate::db) fn noticing(target: &Target, notices: Notices) -> Result<Self, SqlError> {
        may_block()?;
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| {
            let said = format!("the system has no room for a connection: {error}");
            SqlError::new(SqlState::CONNECTION_REFUSED, &said)
        })?;
        let runtime = Loop(Some(runtime));
        let opened = Instant::now();
        let connected = match &target.encryption {
            None => runtime.run(target.opening, async {
                let (client, connection) = target.config.connect(NoTls).await?;
                Ok((client, Box::new(connection) as Box<dyn Talk>))
            }),
            Some(encryption) => runtime.run(target.opening, async {
                let connector = encryption.connector.clone();
                let (client, connection) = target.config.connect(connector).await?;
                Ok((client, Box::new(connection) as Box<dyn Talk>))
            }),
        };
        let (client, connection) = match connected {
            Ok(connected) => connected.map_err(|error| target.refused(&error))?,
            Err(Late(limit)) => {
                let said = format!(
                    "the server has not let us in within {limit:?}: it may be stopped, \
                     overwhelmed, or no PostgreSQL"
                );
                return Err(SqlError::new(SqlState::CONNECTION_REFUSED, &said));
            }
        };
        let exchange =
            Exchange { connection, notices, limit: target.answer, is_lost: false, runtime };
        Ok(Server { client, prepared: HashMap::new(), exchange, opened })
    }

    /// When it was begun to open this.
    pub(super) fn opened(&self) -> Instant {
        self.opened
    }

    /// Whether nothing more can be asked.
    pub(super) fn is_over(&self) -> bool {
        self.exchange.is_lost || self.client.is_closed()
    }

    /// Whether the server answers, within this time.
    pub(super) fn answers(&mut self, within: Duration) -> Result<(), SqlError> {
        self.exchange.wait(Some(within), self.client.simple_query("")).map(drop)
    }

    /// Runs what has no parameters and no answer.
    pub(in crate::db) fn run(&mut self, sql: &str) -> Result<(), SqlError> {
        self.exchange.ask(self.client.batch_execute(sql))
    }

    /// Returns once the server is done with what it has answered: it tells of an error first, and
    /// rolls back then.
    pub(in crate::db) fn settle(&mut self) {
        // If this fails, whatever is asked next does.
        let _ = self.exchange.ask(self.client.simple_query(""));
    }

    /// A column of numbers.
    pub(in crate::db) fn numbers(
        &mut self,
        sql: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<i32>, SqlError> {
        let rows = self.exchange.ask(self.client.query(sql, values))?;
        let number = |row: &tokio_postgres::Row| row.try_get(0).map_err(|error| failed(&error));
        rows.iter().map(number).collect()
    }
}

/// What goes over the wire, and comes back.
struct Exchange {
    connection: Box<dyn Talk>,
    notices: Notices,
    /// How long to wait for an answer.
    limit: Option<Duration>,
    /// An answer did not come in time, and may still be on its way.
    is_lost: bool,
    runtime: Loop,
}

impl Exchange {
    fn ask<T>(&mut self, answer: impl Future<Output = Result<T, Error>>) -> Result<T, SqlError> {
        self.wait(self.limit, answer)
    }

    fn wait<T>(
        &mut self,
        limit: Option<Duration>,
        answer: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, SqlError> {
        if self.is_lost {
            return Err(SqlError::new(SqlState::CONNECTION_FAILURE, "it broke before"));
        }
        if let Err(error) = may_block() {
            // What has begun in this session cannot be ended from here: the server does it.
            self.is_lost = true;
            return Err(SqlError { state: SqlState::CONNECTION_FAILURE, ..error });
        }
        let mut answer = pin!(answer);
        let (connection, notices) = (&mut self.connection, &self.notices);
        let answered = self.runtime.run(
            limit,
            poll_fn(|context| {
                match connection.poll(context, notices) {
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    // Whoever waits for an answer is told that there will be none.
                    Poll::Ready(Ok(())) | Poll::Pending => {}
                }
                answer.as_mut().poll(context)
            }),
        );
        answered
            .map_err(|Late(limit)| {
                self.is_lost = true;
                let said = format!("the server has not answered within {limit:?}");
                SqlError::new(SqlState::CONNECTION_FAILURE, &said)
            })?
            .map_err(|error| failed(&error))
    }
}

impl Drop for Exchange {
    /// The server is told, unless it does not listen, or this is asynchronous code: what is there
    /// must not block.
    fn drop(&mut self) {
        let is_free = Handle::try_current().is_err_and(|error| error.is_missing_context());
        if !self.is_lost && is_free {
            let (connection, notices) = (&mut self.connection, &self.notices);
            let end = poll_fn(|context| connection.poll(context, notices));
            let _ = self.runtime.run(Some(GOODBYE), end);
        }
    }
}

/// A connection, however it is encrypted.
trait Talk: Send {
    /// Sends and receives; ready once it is over.
    fn poll(&mut self, context: &mut Context<'_>, notices: &Notices) -> Poll<Result<(), Error>>;
}

impl<S, T> Talk for Connection<S, T>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
    T: AsyncRead + AsyncWrite + Unpin + Send,
{
    fn poll(&mut self, context: &mut Context<'_>, notices: &Notices) -> Poll<Result<(), Error>> {
        loop {
            match self.poll_message(context) {
                Poll::Ready(Some(Ok(AsyncMessage::Notice(notice)))) => notices(&notice),
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error)),
                Poll::Ready(None) => return Poll::Ready(Ok(())),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

/// It took longer than this.
struct Late(Duration);

/// Where one connection's sockets and clocks are. It ends without waiting for anything, such as a
/// name server that is still being asked.
struct Loop(Option<Runtime>);

impl Loop {
    fn run<T>(&self, limit: Option<Duration>, work: impl Future<Output = T>) -> Result<T, Late> {
        // There is one until it is dropped.
        let Some(runtime) = &self.0 else { return Err(Late(Duration::ZERO)) };
        match limit {
            None => Ok(runtime.block_on(work)),
            Some(limit) => {
                runtime.block_on(async { timeout(limit, work).await }).map_err(|_| Late(limit))
            }
        }
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Wire for Server {
    fn control(&mut self, statement: &Statement) -> Result<(), SqlError> {
        let query = statement.query(Dialect::Postgres)?;
        self.run(&query.text)
    }

    fn ask(&mut self, statement: &Statement) -> Result<Answer, SqlError> {
        let Query { mut text, parameters } = statement.query(Dialect::Postgres)?;
        let parameters: Vec<_> = parameters.iter().map(Parameter::of).collect();
        let types: Vec<_> = parameters.iter().map(Parameter::kind).collect();
        let values: Vec<_> = parameters.iter().map(Parameter::value).collect();
        // Prepared for values of these types, so that the server is the judge of them.
        let length = text.len();
        text.extend(parameters.iter().map(Parameter::letter));
        let prepared = match self.prepared.get(&text) {
            Some(prepared) => prepared.clone(),
            None => {
                let prepared = self.client.prepare_typed(&text[..length], &types);
                let prepared = self.exchange.ask(prepared)?;
                // Before it is executed: what it does could not be undone because its answer is odd.
                prepared.columns().iter().try_for_each(is_readable)?;
                self.prepared.insert(text.clone(), prepared.clone());
                prepared
            }
        };
        let answer = if !prepared.columns().is_empty() {
            self.exchange.ask(self.client.query(&prepared, &values)).map(Ok)
        } else {
            self.exchange.ask(self.client.execute(&prepared, &values)).map(Err)
        };
        match answer {
            Ok(Err(count)) => Ok(Answer::Count(count)),
            Ok(Ok(rows)) => {
                let rows = rows.iter().map(row).collect::<Result<_, _>>();
                rows.map(Answer::Rows).map_err(|error| unread(statement, error))
            }
            Err(error) => {
                if error.state == SqlState::FEATURE_NOT_SUPPORTED {
                    // The table is another one than when this was prepared: the next time will do.
                    self.prepared.remove(&text);
                }
                Err(error)
            }
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}

/// A value on its way to the server.
enum Parameter<'a> {
    Int(i64),
    Text(&'a str),
    Bool(bool),
    Null,
}

/// `NULL`, of whichever type the server takes it to be.
#[derive(Debug)]
struct Null;

impl ToSql for Null {
    fn to_sql(
        &self,
        _: &Type,
        _: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        Ok(IsNull::Yes)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl<'a> Parameter<'a> {
    fn of(value: &'a Value) -> Self {
        match value {
            Value::Int(number) => Parameter::Int(*number),
            Value::Text(text) => Parameter::Text(text),
            Value::Bool(truth) => Parameter::Bool(*truth),
            Value::Null => Parameter::Null,
        }
    }

    fn kind(&self) -> Type {
        match self {
            Parameter::Int(_) => Type::INT8,
            Parameter::Text(_) => Type::TEXT,
            Parameter::Bool(_) => Type::BOOL,
            Parameter::Null => Type::UNKNOWN,
        }
    }

    fn letter(&self) -> char {
        match self {
            Parameter::Int(_) => 'i',
            Parameter::Text(_) => 't',
            Parameter::Bool(_) => 'b',
            Parameter::Null => 'n',
        }
    }

    fn value(&self) -> &(dyn ToSql + Sync) {
        match self {
            Parameter::Int(number) => number,
            Parameter::Text(text) => text,
            Parameter::Bool(truth) => truth,
            Parameter::Null => &Null,
        }
    }
}

/// [`DATATYPE_MISMATCH`](SqlState::DATATYPE_MISMATCH) for a column of a type that no
/// [`Value`] is.
fn is_readable(column: &tokio_postgres::Column) -> Result<(), SqlError> {
    match *column.type_() {
        Type::INT8 | Type::INT4 | Type::BOOL | Type::TEXT | Type::VARCHAR | Type::VOID => Ok(()),
        ref other => {
            let said = format!("column `{}` is of type {other}", column.name());
            Err(SqlError::new(SqlState::DATATYPE_MISMATCH, &said))
        }
    }
}

fn row(row: &tokio_postgres::Row) -> Result<Row, SqlError> {
    let value = |(index, column): (usize, &tokio_postgres::Column)| {
        is_readable(column)?;
        let value = match *column.type_() {
            Type::INT8 => row.try_get::<_, Option<i64>>(index).map(|it| it.map(Value::Int)),
            Type::INT4 => {
                let number = row.try_get::<_, Option<i32>>(index);
                number.map(|it| it.map(|it| Value::Int(it.into())))
            }
            // What a function answers that has nothing to say.
            Type::VOID => Ok(None),
            Type::BOOL => row.try_get::<_, Option<bool>>(index).map(|it| it.map(Value::Bool)),
            _ => row.try_get::<_, Option<&str>>(index).map(|it| it.map(Value::from)),
        };
        let value = value.map(|value| value.unwrap_or(Value::Null));
        value.map_err(|error| SqlError::new(SqlState::DATATYPE_MISMATCH, &said(&error)))
    };
    row.columns().iter().enumerate().map(value).collect()
}
