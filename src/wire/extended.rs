//! The extended protocol: Parse, Bind, Describe, Execute, Close.

use std::pin::pin;
use std::sync::Arc;

use datafusion::common::ScalarValue;

use super::backend;
use super::connection::Connection;
use super::frontend::{Bind, Target};
use super::portal::{self, Portal, Running, State};
use super::rows::{RowEncoder, format_of};
use super::simple::complete;
use crate::error::{Error, Result};
use crate::format::decode;
use crate::session::{Prepared, Reply, RowsTag, placed};

/// The most portals a session may hold.
const MAX_PORTALS: usize = 1000;

impl Connection {
    pub(super) async fn parse(&mut self, name: &str, text: &str, types: &[u32]) -> Result<()> {
        if name.is_empty() {
            self.session.close_prepared("");
        }
        let mut statements = self.session.parse(text)?;
        let prepared = match (statements.pop(), statements.is_empty()) {
            (None, _) => self.session.prepare_empty(),
            (Some(statement), true) => {
                let own = Arc::clone(&statement.text);
                let prepare = self.session.prepare(statement, types);
                let prepared = self.watch.run(&self.link, prepare).await;
                prepared.map_err(|error| placed(error, text, &own))?
            }
            (Some(_), false) => {
                let message = "cannot insert multiple commands into a prepared statement";
                return Err(Error::Syntax {
                    message: message.to_owned(),
                    position: None,
                });
            }
        };
        self.session.store_prepared(name, prepared)?;
        backend::bare(&mut self.link.out, b'1');
        Ok(())
    }

    pub(super) async fn bind(&mut self, bind: Bind) -> Result<()> {
        let prepared = self.session.prepared(&bind.statement)?;
        check_counts(&bind, &prepared)?;
        self.session.check_bound(&prepared)?;
        if !bind.portal.is_empty() && self.portals.contains_key(&bind.portal) {
            return Err(Error::DuplicateCursor(bind.portal));
        }
        if self.portals.len() >= MAX_PORTALS {
            return Err(Error::ConfigurationLimit(format!(
                "more than {MAX_PORTALS} portals"
            )));
        }
        let text = Arc::clone(&prepared.statement.text);
        let current = self.session.current(prepared);
        let prepared = self.watch.run(&self.link, current).await;
        let prepared = prepared.map_err(|error| placed(error, &text, &text))?;
        let parameters = self.values(&bind, &prepared)?;
        let columns = prepared.columns().map_or(0, |columns| columns.len());
        let formats = bind.result_formats.len();
        if formats > 1 && formats != columns {
            let message = format!(
                "bind message has {formats} result formats but query has {columns} columns"
            );
            return Err(Error::Protocol(message));
        }
        let portal = Portal {
            prepared,
            result_formats: bind.result_formats,
            state: State::New { parameters },
        };
        self.portals.insert(bind.portal, portal);
        backend::bare(&mut self.link.out, b'2');
        Ok(())
    }

    fn values(&self, bind: &Bind, prepared: &Prepared) -> Result<Vec<ScalarValue>> {
        let display = self.session.display();
        let values = bind.values.iter().zip(prepared.parameters()).enumerate();
        values
            .map(|(index, (value, sql_type))| match value {
                None => decode::null(sql_type, &display),
                Some(bytes) if format_of(&bind.formats, index) == 1 => {
                    let value = decode::parse_binary(bytes, sql_type, &display);
                    value.map_err(|error| error.at(place_of(bind, index)))
                }
                // The value itself is not told, as PostgreSQL does not by default.
                Some(bytes) => decode::parse_text(bytes, sql_type, &display)
                    .map_err(|error| error.at(format!("{} = '...'", place_of(bind, index)))),
            })
            .collect()
    }

    pub(super) fn describe(&mut self, target: &Target) -> Result<()> {
        let (prepared, formats) = match target {
            Target::Statement(name) => {
                let prepared = self.session.prepared(name)?;
                backend::parameter_description(&mut self.link.out, prepared.parameters());
                (prepared, &[][..])
            }
            Target::Portal(name) => {
                let Some(portal) = self.portals.get(name) else {
                    let columns = self.session.cursor_columns(name)?;
                    backend::row_description(&mut self.link.out, &columns, |_| 0);
                    return Ok(());
                };
                (
                    std::sync::Arc::clone(&portal.prepared),
                    portal.result_formats.as_slice(),
                )
            }
        };
        match prepared.columns() {
            Some(columns) => backend::row_description(&mut self.link.out, columns, |index| {
                format_of(formats, index)
            }),
            None => backend::bare(&mut self.link.out, b'n'),
        }
        Ok(())
    }

    pub(super) fn close(&mut self, target: &Target) -> Result<()> {
        match target {
            Target::Statement(name) => self.session.close_prepared(name),
            Target::Portal(name) => {
                if self.portals.remove(name).is_none() {
                    self.session.close_cursor(name);
                }
            }
        }
        backend::bare(&mut self.link.out, b'3');
        Ok(())
    }

    /// Runs a portal for at most `max_rows` rows; 0 means all.
    pub(super) async fn execute(&mut self, name: &str, max_rows: usize) -> Result<()> {
        let portal = self
            .portals
            .get_mut(name)
            .ok_or_else(|| Error::NoSuchPortal(name.to_owned()))?;
        let running = match std::mem::replace(&mut portal.state, State::Spent) {
            State::Running(running) => running,
            State::Finished(tag) => {
                backend::command_complete(&mut self.link.out, &complete(&tag, 0));
                portal.state = State::Finished(tag);
                return Ok(());
            }
            State::Spent => {
                return Err(Error::Function {
                    sqlstate: "55000",
                    message: format!("portal \"{name}\" cannot be run"),
                    detail: None,
                    hint: None,
                });
            }
            State::New { parameters } => {
                let prepared = std::sync::Arc::clone(&portal.prepared);
                let formats = portal.result_formats.clone();
                let execute = self.session.execute(&prepared, parameters);
                let tag = match self.watch.run(&self.link, execute).await? {
                    Reply::Rows(rows) => {
                        let encoder =
                            RowEncoder::new(rows.columns, &formats, self.session.display());
                        let running = Running {
                            encoder,
                            batches: rows.batches,
                            tag: rows.tag,
                            rest: None,
                        };
                        return self.send_rows(name, running, max_rows).await;
                    }
                    Reply::Empty => {
                        self.send_notices();
                        backend::bare(&mut self.link.out, b'I');
                        return Ok(());
                    }
                    Reply::Done { tag } => tag,
                    Reply::CopyOut(copy) => self.copy_out(copy).await?,
                    Reply::CopyIn(copy) => self.copy_in(*copy).await?,
                };
                self.send_notices();
                backend::command_complete(&mut self.link.out, &tag);
                return Ok(());
            }
        };
        self.send_rows(name, running, max_rows).await
    }

    async fn send_rows(&mut self, name: &str, running: Running, max_rows: usize) -> Result<()> {
        if max_rows > 0 {
            return self.send_some_rows(name, running, max_rows).await;
        }
        let Running {
            encoder,
            batches,
            tag,
            rest,
        } = running;
        let mut sent = 0;
        if let Some(rest) = rest {
            encoder.encode(&rest, &mut self.link.out)?;
            sent += rest.num_rows() as u64;
        }
        let mut chunks = pin!(portal::encoded(encoder, batches, self.session.cpu()));
        while let Some(chunk) = self.watch.next(&self.link, &mut chunks).await {
            let (bytes, rows) = chunk?;
            sent += rows;
            self.link.write(bytes).await?;
        }
        self.finish_portal(name, tag, sent);
        Ok(())
    }

    async fn send_some_rows(
        &mut self,
        name: &str,
        mut running: Running,
        max_rows: usize,
    ) -> Result<()> {
        let mut left = max_rows;
        while left > 0 {
            let batch = match running.rest.take() {
                Some(rest) => rest,
                None => match self.watch.next(&self.link, &mut running.batches).await {
                    Some(batch) => batch?,
                    None => {
                        self.finish_portal(name, running.tag, (max_rows - left) as u64);
                        return Ok(());
                    }
                },
            };
            let now = batch.num_rows().min(left);
            running
                .encoder
                .encode(&batch.slice(0, now), &mut self.link.out)?;
            self.link.flush_if_large().await?;
            left -= now;
            if now < batch.num_rows() {
                running.rest = Some(batch.slice(now, batch.num_rows() - now));
            }
        }
        if let Some(portal) = self.portals.get_mut(name) {
            portal.state = State::Running(running);
        }
        self.send_notices();
        backend::bare(&mut self.link.out, b's');
        Ok(())
    }

    fn finish_portal(&mut self, name: &str, tag: RowsTag, sent: u64) {
        self.send_notices();
        backend::command_complete(&mut self.link.out, &complete(&tag, sent));
        // A query can be asked again and has no more rows; what changed something cannot.
        let repeatable = matches!(&tag, RowsTag::Counted("SELECT" | "FETCH"));
        if let (Some(portal), true) = (self.portals.get_mut(name), repeatable) {
            portal.state = State::Finished(tag);
        }
    }
}

/// What PostgreSQL calls a parameter that is being read.
fn place_of(bind: &Bind, index: usize) -> String {
    let number = index + 1;
    match bind.portal.as_str() {
        "" => format!("unnamed portal parameter ${number}"),
        portal => format!("portal \"{portal}\" parameter ${number}"),
    }
}

/// Whether a Bind brings as many values as its statement has parameters.
fn check_counts(bind: &Bind, prepared: &Prepared) -> Result<()> {
    let (given, wanted) = (bind.values.len(), prepared.parameters().len());
    if bind.formats.len() > 1 && bind.formats.len() != given {
        let formats = bind.formats.len();
        let message =
            format!("bind message has {formats} parameter formats but {given} parameters");
        return Err(Error::Protocol(message));
    }
    if given != wanted {
        let message = format!(
            "bind message supplies {given} parameters, but prepared statement \"{}\" requires {wanted}",
            bind.statement
        );
        return Err(Error::Protocol(message));
    }
    Ok(())
}
