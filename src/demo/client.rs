//! A client inside the process: a session like any other, without a socket.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{Field, Schema};
use arrow::error::ArrowError;
use futures::TryStreamExt;

use crate::error::{Error, Result};
use crate::session::{CopyIn, Engine, Reply, Session};

/// One role's session in one database.
pub(super) struct Client {
    session: Session,
}

impl Client {
    /// Opens a session; the process itself needs no password.
    ///
    /// # Errors
    /// A role or a database that does not exist.
    pub(super) async fn open(engine: &Arc<Engine>, user: &str, database: &str) -> Result<Self> {
        let session = Session::within(engine, user, database).await?;
        Ok(Self { session })
    }

    /// Runs the statements of a text one by one, and gives the number of rows of the last.
    ///
    /// # Errors
    /// The first statement's that fails; those before it stand unless a transaction was begun.
    pub(super) async fn run(&mut self, text: &str) -> Result<usize> {
        let done = self.statements(text).await;
        self.settled(done)
    }

    /// Writes one batch by a COPY FROM STDIN; its columns are in the order that the statement names.
    ///
    /// # Errors
    /// As [`Self::run`], and values that are not of the columns' types.
    pub(super) async fn copy(&mut self, statement: &str, columns: Vec<ArrayRef>) -> Result<()> {
        let done = self.copied(statement, columns).await;
        self.settled(done)
    }

    fn settled<T>(&mut self, done: Result<T>) -> Result<T> {
        if let Err(error) = &done {
            self.session.fail(error);
        }
        done
    }

    async fn statements(&mut self, text: &str) -> Result<usize> {
        let mut rows = 0;
        for statement in self.session.parse(text)? {
            let prepared = self.session.prepare(statement, &[]).await?;
            rows = match self.session.execute(&prepared, Vec::new()).await? {
                Reply::Rows(answer) => {
                    let count = |sum, batch: RecordBatch| async move { Ok(sum + batch.num_rows()) };
                    answer.batches.try_fold(0, count).await?
                }
                Reply::Empty | Reply::Done { .. } => 0,
                Reply::CopyIn(_) | Reply::CopyOut(_) => {
                    return Err(Error::Unsupported("COPY in a text".to_owned()));
                }
            };
            self.session.end_implicit(true).await?;
        }
        Ok(rows)
    }

    async fn copied(&mut self, statement: &str, columns: Vec<ArrayRef>) -> Result<()> {
        for statement in self.session.parse(statement)? {
            let prepared = self.session.prepare(statement, &[]).await?;
            let reply = self.session.execute(&prepared, Vec::new()).await?;
            let Reply::CopyIn(mut copy) = reply else {
                return Err(Error::internal("not a COPY FROM STDIN"));
            };
            let batch = self.shaped(&copy, &columns).map_err(|error| {
                Error::internal(format!("values for {}: {error}", copy.relation))
            })?;
            copy.sink.write(batch).await?;
            copy.sink.finish().await?;
            self.session.end_implicit(true).await?;
        }
        Ok(())
    }

    /// The values as the columns' SQL types hold them.
    fn shaped(&self, copy: &CopyIn, values: &[ArrayRef]) -> Result<RecordBatch, ArrowError> {
        let zone: Arc<str> = Arc::from(self.session.display().zone.name());
        let mut fields = Vec::with_capacity(values.len());
        let mut arrays = Vec::with_capacity(values.len());
        for (column, values) in copy.columns.iter().zip(values) {
            let held = column.sql_type.arrow(&zone);
            arrays.push(cast(values, &held)?);
            fields.push(Field::new(&column.name, held, true));
        }
        RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
    }
}
