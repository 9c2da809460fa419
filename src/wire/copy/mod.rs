//! stub
use futures::Stream;
use tokio::runtime::Handle;
use super::connection::Watch;
use super::encode::Display;
use super::link::Link;
use crate::error::Result;
use crate::session::*;
#[derive(Clone)]
pub(super) struct Output;
impl Output {
    pub(super) fn new(_c: &CopyOut, _d: Display) -> Result<Self> { Ok(Self) }
    pub(super) fn is_binary(&self) -> bool { false }
    pub(super) fn begin(&self, _o: &mut Vec<u8>) {}
    pub(super) fn put_header_before_first_row(&self, _o: &mut Vec<u8>) {}
    pub(super) fn end(&self, _e: bool, _o: &mut Vec<u8>) {}
}
pub(super) fn encode(_o: Output, _b: BatchStream, _c: Handle) -> impl Stream<Item = Result<(Vec<u8>, u64)>> + Send { futures::stream::empty() }
pub(super) struct Source { pub(super) relation: String, pub(super) columns: Columns, pub(super) options: CopyOptions, pub(super) display: Display }
pub(super) async fn receive(_l: &mut Link, _s: Source, _k: CopySink, _w: &Watch, _c: &Handle) -> Result<(u64, Vec<Notice>)> { Ok((0, vec![])) }
