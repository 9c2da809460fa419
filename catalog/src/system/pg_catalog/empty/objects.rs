//! Relations of objects that no database here has.

use crate::system::table::{SystemTable, no_rows};

pub(in crate::system) static TABLES: [SystemTable; 45] = [
    SystemTable::table(
        "pg_catalog",
        "pg_amop",
        2602,
        r#"
        oid oid, amopfamily oid, amoplefttype oid, amoprighttype oid, amopstrategy int2,
        amoppurpose "char", amopopr oid, amopmethod oid, amopsortfamily oid"#,
        no_rows,
    ),
    SystemTable::table(
        "pg_catalog",
        "pg_amproc",
        2603,
        "
        oid oid, amprocfamily oid, amproclefttype oid, amprocrighttype oid, amprocnum int2,
        amproc regproc",
        no_rows,
    ),
    SystemTable::view(
        "pg_catalog",
        "pg_available_extension_versions",
        12085,
        "
        name name, version text, installed bool, superuser bool, trusted bool, relocatable bool,
        schema name, requires name[], comment text",
        no_rows,
    ),
    SystemTable::view(
        "pg_catalog",
        "pg_available_extensions",
        12081,
        "
        name name, default_version text, installed_version text, comment text",
        no_rows,
    ),
    SystemTable::view(
        "pg_catalog",
        "pg_backend_memory_contexts",
        12138,
        "
        name text, ident text, parent text, level int4, total_bytes int8, total_nblocks int8,
        free_bytes int8, free_chunks int8, used_bytes int8",
        no_rows,
    ),
    SystemTable::view(
        "pg_catalog",
        "pg_config",
        12130,
        "
        name text, setting text",
        no_rows,
    ),
    SystemTable::table(
        "pg_catalog",
        "pg_conversion",
        2607,
        "
        oid oid, conname name, connamespace oid, conowner oid, conforencoding int4,
        contoencoding int4, conproc regproc, condefault bool",
        no_rows,
    ),
    SystemTable::table(
        "pg_catalog",
        "pg_event_trigger",
        3466,
        r#"
        oid oid, evtname name, evtevent name, evtowner oid, evtfoid oid, evtenabled "char",
        evttags text[]"#,
        no_rows,
    ),
    SystemTable::table(
        "pg_catalog",
        "pg_extension",
        3079,
        "
        oid oid, extname name, extowner oid, extnamespace oid, extrelocatable bool,
        extversion text, extconfig oid[], extcondition text[]",
        no_rows,
    ),
    SystemTable::view(
        "pg_catalog",
        "pg_file_settings",
        12110,
        "
        sourcefile text, sourceline int4, seqno int4, name text, setting text, applied bool,
        error text",
        no_rows,
    ),
    SystemTable::table(
        "pg_catalog",
        "pg_foreign_data_wrapper",
        2328,
        "
        oid oid, fdwname name, fdwowner oid, fdwhandler oid, fdwvalidator oid, fdwacl text[],
        fdwoptions text[]",
        no_rows,
    ),
    SystemTable::table(
        "pg_catalog",
        "pg_foreign_server",
        1417,
        "
        oid oid, srvname name, srvowner oid, srvfdw oid, srvtype text, srvversion text,
        srvacl text[], srvoptions text[]",
        no_rows,
    ),
    SystemTable::table(
        "pg_catalog",
        "pg_foreign_table",
        3118,
        "
        ftrelid oid, ftserver oid, ftoptions text[]",
        no_rows,
    ),
    SystemTable::table(
        "pg_catalog",
        "pg_inherits",
        2611,
        "
        inhrelid oid, inhparent oid, inhseqno int4, inhdetachpending bool",
        no_rows,
    ),
    SystemTable::table(
        "pg_catalog",
        "pg_init_privs",
        3394,
        r#"
        objoid oid, classoid oid, objsubid int4, privtype "char", initprivs text[]"#,
        no_rows,
    ),
    SystemTable::table(
        "pg_catalog",
        "pg_largeobject",
        2613,
        "
        loid oid, pageno int4, data bytea",
        no_rows,
    ),
    SystemTable::table(
        "pg_catalog",
        "pg_largeobject_metadata",
        2995,
        "
        oid oid, lomowner oid, lomacl text[]",
        no_rows,
    ),
    SystemTable::table(
        "pg_catalog",
        "pg_parameter_acl",
        6243,
        "
        oid oid, parname text, paracl text[]",
        no_rows,
    ),
    SystemTable::table(
        "pg_catalog",
        "pg_partitioned_table",
        3350,
        r#"
        partrelid oid, partstrat "char", partnatts int2, partdefid oid, partattrs int2vector,
        partclass oidvector, partcollation oidvector, partexprs text"#,
        no_rows,
    ),
    SystemTable::view(
        "pg_catalog",
        "pg_prepared_xacts",
        12090,
        "
        transaction int8, gid text, prepared timestamptz, owner name, database name",
        no_rows,
    ),
    SystemTable::table(
        "pg_catalog",
        "pg_publication",
        6104,
        "
        oid oid, pubname name, pubowner oid, puballtables bool, pubinsert bool, pubupdate bool,
        pubdelete bool, pubtruncate bool, pubviaroot bool",
        no_rows,
    ),
    SystemTable::table(
        "pg_catalog",
        "pg_publication_namespace",
        6237,
        "
        oid oid, pnpubid oid, pnnspid oid",
        no_rows,
    ),
    SystemTable::table(
        "pg_catalog",
        "pg_publication_rel",
        6106,
        "
        oid oid, prpubid oid, prrelid oid, prqual text, prattrs int2vector",
        no_rows,
    ),
    SystemTable::view(
        "pg_catalog",
        "pg_publication_tables",
        12068,
        "
        pubname name, schemaname name, tablename name, attnames name[], rowfilter text",
        no_rows,
    ),
    SystemTable::table(
        "pg_catalog",
        "pg_range",
        3541,
        "
        rngtypid oid, rngsubtype oid, rngmultitypid oid, rngcollation oid, rngsubopc oid,
        rngcanonical regproc, rngsubdiff regproc",
        no_rows,
    ),
    SystemTable::table(
        "pg_catalog",
        "pg_replication_origin",
        6000,
        "
        roident oid, roname text",
        no_rows,
    ),
    SystemTable::view(
        "pg_catalog",
        "pg_replication_origin_status",
        12332,
        "
        local_id oid, external_id text, remote_lsn text, local_lsn text",
        no_rows,
    ),
    SystemTable::view(
        "pg_catalog",
        "pg_replication_slots",
        12257,
        "
        slot_name name, plugin name, slot_type text, datoid oid, database name, temporary bool,
        active bool, active_pid int4, xmin int8, catalog_xmin int8, restart_lsn text,
        confirmed_flush_lsn text, wal_status text, safe_wal_size int8, two_phase bool",
        no_rows,
    ),
    SystemTable::view(
        "pg_catalog",
        "pg_rules",
        12023,
        "
        schemaname name, tablename name, rulename name, definition text",
        no_rows,
    ),
    SystemTable::table(
        "pg_catalog",
        "pg_seclabel",
        3596,
        "
        objoid oid, classoid oid, objsubid int4, provider text, label text",
        no_rows,
    ),
    SystemTable::view(
        "pg_catalog",
        "pg_seclabels",
        12099,
        "
        objoid oid, classoid oid, objsubid int4, objtype text, objnamespace oid, objname text,
        provider text, label text",
        no_rows,
    ),
    SystemTable::table(
        "pg_catalog",
        "pg_shdepend",
        1214,
        r#"
        dbid oid, classid oid, objid oid, objsubid int4, refclassid oid, refobjid oid,
        deptype "char""#,
        no_rows,
    ),
    SystemTable::view(
        "pg_catalog",
        "pg_shmem_allocations",
        12134,
        "
        name text, off int8, size int8, allocated_size int8",
        no_rows,
    ),
    SystemTable::table(
        "pg_catalog",
        "pg_shseclabel",
        3592,
        "
        objoid oid, classoid oid, provider text, label text",
        no_rows,
    ),
    SystemTable::table(
        "pg_catalog",
        "pg_subscription",
        6100,
        r#"
        oid oid, subdbid oid, subskiplsn text, subname name, subowner oid, subenabled bool,
        subbinary bool, substream bool, subtwophasestate "char", subdisableonerr bool,
        subconninfo text, subslotname name, subsynccommit text, subpublications text[]"#,
        no_rows,
    ),
    SystemTable::table(
        "pg_catalog",
        "pg_subscription_rel",
        6102,
        r#"
        srsubid oid, srrelid oid, srsubstate "char", srsublsn text"#,
        no_rows,
    ),
    SystemTable::table(
        "pg_catalog",
        "pg_transform",
        3576,
        "
        oid oid, trftype oid, trflang oid, trffromsql regproc, trftosql regproc",
        no_rows,
    ),
    SystemTable::table(
        "pg_catalog",
        "pg_trigger",
        2620,
        r#"
        oid oid, tgrelid oid, tgparentid oid, tgname name, tgfoid oid, tgtype int2,
        tgenabled "char", tgisinternal bool, tgconstrrelid oid, tgconstrindid oid,
        tgconstraint oid, tgdeferrable bool, tginitdeferred bool, tgnargs int2, tgattr int2vector,
        tgargs bytea, tgqual text, tgoldtable name, tgnewtable name"#,
        no_rows,
    ),
    SystemTable::table(
        "pg_catalog",
        "pg_ts_config",
        3602,
        "
        oid oid, cfgname name, cfgnamespace oid, cfgowner oid, cfgparser oid",
        no_rows,
    ),
    SystemTable::table(
        "pg_catalog",
        "pg_ts_config_map",
        3603,
        "
        mapcfg oid, maptokentype int4, mapseqno int4, mapdict oid",
        no_rows,
    ),
    SystemTable::table(
        "pg_catalog",
        "pg_ts_dict",
        3600,
        "
        oid oid, dictname name, dictnamespace oid, dictowner oid, dicttemplate oid,
        dictinitoption text",
        no_rows,
    ),
    SystemTable::table(
        "pg_catalog",
        "pg_ts_parser",
        3601,
        "
        oid oid, prsname name, prsnamespace oid, prsstart regproc, prstoken regproc,
        prsend regproc, prsheadline regproc, prslextype regproc",
        no_rows,
    ),
    SystemTable::table(
        "pg_catalog",
        "pg_ts_template",
        3764,
        "
        oid oid, tmplname name, tmplnamespace oid, tmplinit regproc, tmpllexize regproc",
        no_rows,
    ),
    SystemTable::table(
        "pg_catalog",
        "pg_user_mapping",
        1418,
        "
        oid oid, umuser oid, umserver oid, umoptions text[]",
        no_rows,
    ),
    SystemTable::view(
        "pg_catalog",
        "pg_user_mappings",
        12327,
        "
        umid oid, srvid oid, srvname name, umuser oid, usename name, umoptions text[]",
        no_rows,
    ),
];
