//! The simple protocol: the extended one with empty names, several statements at a time.

use std::pin::pin;
use std::sync::Arc;

use super::backend;
use super::connection::Connection;
use super::portal;
use crate::error::Result;
use crate::session::{Reply, Rows, RowsTag, placed};

impl Connection {
    /// Runs the statements of a Query message; the last one's end is told once it is committed.
    pub(super) async fn query(&mut self, text: &str) -> Result<()> {
        self.portals.remove("");
        self.session.close_prepared("");
        let statements = self.session.parse(text)?;
        let count = statements.len();
        if count == 0 {
            backend::bare(&mut self.link.out, b'I');
            return self.session.end_implicit(true).await;
        }
        if count > 1 {
            self.session.begin_implicit_block();
        }
        for (index, statement) in statements.into_iter().enumerate() {
            let own = Arc::clone(&statement.text);
            let told = |error| placed(error, text, &own);
            let prepare = self.session.prepare(statement, &[]);
            let prepared = self.watch.run(&self.link, prepare).await.map_err(told)?;
            let execute = self.session.execute(&prepared, Vec::new());
            let reply = self.watch.run(&self.link, execute).await.map_err(told)?;
            let tag = match reply {
                Reply::Empty => None,
                Reply::Done { tag } => Some(tag),
                Reply::Rows(rows) => Some(self.all_rows(rows).await?),
                Reply::CopyOut(copy) => Some(self.copy_out(copy).await?),
                Reply::CopyIn(copy) => Some(self.copy_in(*copy).await?),
            };
            if index + 1 == count {
                let commit = self.session.end_implicit(true);
                self.watch.run(&self.link, commit).await?;
            }
            self.send_notices();
            match tag {
                Some(tag) => backend::command_complete(&mut self.link.out, &tag),
                None => backend::bare(&mut self.link.out, b'I'),
            }
        }
        Ok(())
    }

    async fn all_rows(&mut self, rows: Rows) -> Result<String> {
        let encoder = super::rows::RowEncoder::new(rows.columns, &[], self.session.display());
        backend::row_description(&mut self.link.out, encoder.columns(), |_| 0);
        let mut chunks = pin!(portal::encoded(encoder, rows.batches, self.session.cpu()));
        let mut sent = 0;
        while let Some(chunk) = self.watch.next(&self.link, &mut chunks).await {
            let (bytes, rows) = chunk?;
            sent += rows;
            self.link.write(bytes).await?;
        }
        Ok(complete(&rows.tag, sent))
    }
}

/// The command tag of a result of so many rows.
pub(super) fn complete(tag: &RowsTag, rows: u64) -> String {
    match tag {
        RowsTag::Counted(verb) => format!("{verb} {rows}"),
        RowsTag::Fixed(tag) => tag.clone(),
    }
}
