//! `pg_aggregate`: the aggregates among the functions.

use crate::system::rows::{Rows, row};
use crate::system::scene::Scene;
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::table(
    "pg_catalog",
    "pg_aggregate",
    2600,
    r#"
    aggfnoid regproc, aggkind "char", aggnumdirectargs int2, aggtransfn regproc,
    aggfinalfn regproc, aggcombinefn regproc, aggserialfn regproc, aggdeserialfn regproc,
    aggmtransfn regproc, aggminvtransfn regproc, aggmfinalfn regproc, aggfinalextra bool,
    aggmfinalextra bool, aggfinalmodify "char", aggmfinalmodify "char", aggsortop oid,
    aggtranstype oid, aggtransspace int4, aggmtranstype oid, aggmtransspace int4, agginitval text,
    aggminitval text"#,
    rows,
);

fn rows(scene: &Scene, rows: &mut Rows) {
    for function in scene
        .functions
        .iter()
        .filter(|function| function.kind == 'a')
    {
        row!(
            rows,
            aggfnoid: function.oid,
            aggkind: 'n',
            aggnumdirectargs: 0,
            aggtransfn: 0,
            aggfinalfn: 0,
            aggcombinefn: 0,
            aggserialfn: 0,
            aggdeserialfn: 0,
            aggmtransfn: 0,
            aggminvtransfn: 0,
            aggmfinalfn: 0,
            aggfinalextra: false,
            aggmfinalextra: false,
            aggfinalmodify: 'r',
            aggmfinalmodify: 'r',
            aggsortop: 0,
            aggtranstype: function.result.oid(),
            aggtransspace: 0,
            aggmtranstype: 0,
            aggmtransspace: 0,
        );
    }
}
