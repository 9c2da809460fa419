//! Statements and COPY, sent whole and answered whole.

use std::io;

use bytes::BytesMut;
use postgres_protocol::IsNull;
use postgres_protocol::message::frontend;

use super::{Answer, Client, Reply, ServerError, error_fields};

impl Client {
    /// Runs text through the simple protocol.
    pub(crate) fn simple(&mut self, sql: &str) -> Reply {
        self.send(|buf| frontend::query(sql, buf));
        self.reply()
    }

    /// Runs text that must succeed and gives the last answer's rows.
    #[track_caller]
    pub(crate) fn rows(&mut self, sql: &str) -> Vec<Vec<String>> {
        let reply = self.simple(sql);
        assert!(reply.error.is_none(), "{sql}: {:?}", reply.error);
        reply.answers.last().map(Answer::text).unwrap_or_default()
    }

    /// Runs text that must succeed.
    #[track_caller]
    pub(crate) fn run(&mut self, sql: &str) {
        let reply = self.simple(sql);
        assert!(reply.error.is_none(), "{sql}: {:?}", reply.error);
    }

    /// Runs text that must give one value, and gives it.
    #[track_caller]
    pub(crate) fn value(&mut self, sql: &str) -> String {
        let mut rows = self.rows(sql);
        assert!(
            rows.len() == 1 && rows[0].len() == 1,
            "{sql}: not one value: {rows:?}"
        );
        rows.remove(0).remove(0)
    }

    /// Runs text that must fail and gives the error.
    #[track_caller]
    pub(crate) fn fail(&mut self, sql: &str) -> ServerError {
        let reply = self.simple(sql);
        reply
            .error
            .clone()
            .unwrap_or_else(|| panic!("{sql}: no error but {:?}", reply.answers))
    }

    /// Runs a statement with text parameters through the extended protocol; results in the format asked for.
    pub(crate) fn extended(
        &mut self,
        sql: &str,
        parameters: &[Option<&str>],
        format: i16,
    ) -> Reply {
        self.send(|buf| {
            frontend::parse("", sql, [], buf)?;
            bind("", "", parameters, format, buf)?;
            frontend::describe(b'P', "", buf)?;
            frontend::execute("", 0, buf)?;
            frontend::sync(buf);
            Ok(())
        });
        self.reply()
    }

    /// Sends COPY data in chunks, ends it and reads the reply.
    pub(crate) fn copy_in(&mut self, sql: &str, chunks: &[&[u8]]) -> Reply {
        let begin = self.simple(sql);
        if begin.error.is_some() {
            return begin;
        }
        assert!(
            begin.trace.ends_with('G'),
            "{sql}: no CopyInResponse but {}",
            begin.trace
        );
        for chunk in chunks {
            self.send(|buf| {
                frontend::CopyData::new(*chunk)?.write(buf);
                Ok(())
            });
        }
        self.send(|buf| {
            frontend::copy_done(buf);
            Ok(())
        });
        self.reply()
    }

    /// Runs COPY TO STDOUT and gives the bytes and the rest of the reply.
    pub(crate) fn copy_out(&mut self, sql: &str) -> (Vec<u8>, Reply) {
        self.send(|buf| frontend::query(sql, buf));
        let mut data = Vec::new();
        let mut reply = Reply::default();
        loop {
            let message = self.read();
            reply.trace.push(message.tag);
            match message.tag {
                'd' => data.extend_from_slice(&message.body),
                'E' => reply.error = Some(error_fields(&message.body)),
                'C' => reply.answers.push(Answer {
                    tag: Some(
                        String::from_utf8_lossy(&message.body[..message.body.len() - 1])
                            .into_owned(),
                    ),
                    ..Answer::default()
                }),
                'Z' => {
                    reply.status = message.body[0] as char;
                    return (data, reply);
                }
                _ => {}
            }
        }
    }
}

/// Writes a Bind with text parameters and one result format.
pub(crate) fn bind(
    portal: &str,
    statement: &str,
    parameters: &[Option<&str>],
    format: i16,
    buf: &mut BytesMut,
) -> io::Result<()> {
    let result = frontend::bind(
        portal,
        statement,
        [0],
        parameters,
        |parameter, buf| {
            Ok(match parameter {
                Some(text) => {
                    buf.extend_from_slice(text.as_bytes());
                    IsNull::No
                }
                None => IsNull::Yes,
            })
        },
        [format],
        buf,
    );
    result.map_err(|_| io::Error::other("the parameters do not fit"))
}
