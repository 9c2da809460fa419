// Cases of pgjdbc: each prints `== name` and its answer, or `!! ` and how it failed.
import java.io.StringReader;
import java.io.StringWriter;
import java.math.BigDecimal;
import java.sql.*;
import java.time.*;
import java.util.*;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyManager;

public class Cases {
    interface Case {
        Object run() throws Exception;
    }

    static final int TIMEOUT_S = 20;
    static final Map<String, Case> CASES = new LinkedHashMap<>();
    static String url;

    static void add(String name, Case body) {
        CASES.put(name, body);
    }

    static Connection connect(String... options) throws SQLException {
        Properties properties = new Properties();
        properties.setProperty("user", System.getenv("PGUSER"));
        properties.setProperty("password", System.getenv("PGPASSWORD"));
        for (String option : options) {
            String[] pair = option.split("=", 2);
            properties.setProperty(pair[0], pair[1]);
        }
        return DriverManager.getConnection(url, properties);
    }

    /** All columns and rows of a result as text. */
    static String shown(ResultSet rows) throws SQLException {
        StringBuilder text = new StringBuilder();
        ResultSetMetaData columns = rows.getMetaData();
        for (int i = 1; i <= columns.getColumnCount(); i++) text.append(columns.getColumnLabel(i)).append(' ').append(columns.getColumnTypeName(i)).append('|');
        text.append('\n');
        while (rows.next()) {
            for (int i = 1; i <= columns.getColumnCount(); i++) text.append(rows.getString(i)).append('|');
            text.append('\n');
        }
        return text.toString();
    }

    interface Read {
        ResultSet of(DatabaseMetaData data) throws SQLException;
    }

    static Object query(String sql, Object... parameters) throws SQLException {
        try (Connection connection = connect(); PreparedStatement statement = connection.prepareStatement(sql)) {
            for (int i = 0; i < parameters.length; i++) statement.setObject(i + 1, parameters[i]);
            return shown(statement.executeQuery());
        }
    }

    static void metadata() {
        add("meta: tables", () -> meta(d -> d.getTables(null, "shop", "%", null)));
        add("meta: views alone", () -> meta(d -> d.getTables(null, "shop", "%", new String[] {"VIEW"})));
        add("meta: tables and sequences", () -> meta(d -> d.getTables(null, "shop", "%", new String[] {"TABLE", "SEQUENCE", "INDEX"})));
        add("meta: columns", () -> meta(d -> d.getColumns(null, "shop", "%", "%")));
        add("meta: columns of one", () -> meta(d -> d.getColumns(null, "shop", "customer", "n%")));
        add("meta: primary keys", () -> meta(d -> d.getPrimaryKeys(null, "shop", "purchase")));
        add("meta: index info", () -> meta(d -> d.getIndexInfo(null, "shop", "customer", false, false)));
        add("meta: unique indexes", () -> meta(d -> d.getIndexInfo(null, "shop", "account", true, true)));
        add("meta: imported keys", () -> meta(d -> d.getImportedKeys(null, "shop", "purchase")));
        add("meta: exported keys", () -> meta(d -> d.getExportedKeys(null, "shop", "customer")));
        add("meta: cross reference", () -> meta(d -> d.getCrossReference(null, "shop", "customer", null, "shop", "purchase")));
        add("meta: best row identifier", () -> meta(d -> d.getBestRowIdentifier(null, "shop", "customer", DatabaseMetaData.bestRowSession, false)));
        add("meta: version columns", () -> meta(d -> d.getVersionColumns(null, "shop", "customer")));
        add("meta: table privileges", () -> meta(d -> d.getTablePrivileges(null, "shop", "customer")));
        add("meta: column privileges", () -> meta(d -> d.getColumnPrivileges(null, "shop", "customer", "id")));
        add("meta: schemas", () -> meta(d -> d.getSchemas(null, "sh%")));
        add("meta: table types", () -> meta(d -> d.getTableTypes()));
        add("meta: catalogs", () -> meta(d -> d.getCatalogs()));
        add("meta: type info is read", () -> {
            try (Connection c = connect()) {
                ResultSet rows = c.getMetaData().getTypeInfo();
                Set<String> wanted = new TreeSet<>();
                while (rows.next()) {
                    String name = rows.getString(1);
                    if (Set.of("int4", "text", "numeric", "timestamptz", "uuid", "_int4", "bool").contains(name)) wanted.add(name + rows.getString(2));
                }
                return wanted;
            }
        });
        add("meta: types of users", () -> meta(d -> d.getUDTs(null, "shop", "%", null)));
        add("meta: procedures", () -> meta(d -> d.getProcedures(null, "shop", "%")));
        add("meta: functions", () -> meta(d -> d.getFunctions(null, "shop", "%")));
        add("meta: function columns", () -> meta(d -> d.getFunctionColumns(null, "pg_catalog", "initcap", "%")));
        add("meta: client info", () -> meta(d -> d.getClientInfoProperties()));
        add("meta: keywords and functions", () -> {
            try (Connection c = connect()) {
                DatabaseMetaData d = c.getMetaData();
                return d.getSQLKeywords() + d.getMaxColumnNameLength() + d.getMaxColumnsInIndex() + d.getDatabaseProductName() + d.getDatabaseMajorVersion() + d.getDefaultTransactionIsolation() + d.getUserName().length();
            }
        });
    }

    static String meta(Read read) throws SQLException {
        try (Connection connection = connect()) {
            return shown(read.of(connection.getMetaData()));
        }
    }

    static void types() {
        add("types: of a result", () -> query("SELECT 1::int2 AS a, 2 AS b, 3::int8 AS c, 1.50::numeric(5,2) AS d, 0.5::float4 AS e, 1e10::float8 AS f, 'ü' AS g, true AS h,"
                + " date '2024-01-01' AS i, timestamp '2024-01-01 01:02:03' AS j, timestamptz '2024-01-01 00:00:00+00' AS k, interval '1 day' AS l, '{}'::json AS m, array[1,2] AS n,"
                + " '\\x00'::bytea AS o, 'a'::char(3) AS p, 'b'::varchar(4) AS q, '00000000-0000-0000-0000-000000000001'::uuid AS r, time '01:02:03' AS s, NULL AS t, 5::oid AS u"));
        add("types: metadata of a table's columns", () -> {
            try (Connection c = connect(); PreparedStatement s = c.prepareStatement("SELECT id, name, tags, amount FROM shop.customer JOIN shop.purchase USING (id)")) {
                ResultSetMetaData m = s.getMetaData();
                StringBuilder text = new StringBuilder();
                for (int i = 1; i <= m.getColumnCount(); i++)
                    text.append(String.join(",", m.getColumnName(i), m.getColumnTypeName(i), m.getTableName(i), m.getSchemaName(i), "" + m.getPrecision(i), "" + m.getScale(i),
                            "" + m.isNullable(i), "" + m.isAutoIncrement(i), m.getColumnClassName(i))).append('\n');
                return text;
            }
        });
        add("types: of parameters", () -> {
            try (Connection c = connect(); PreparedStatement s = c.prepareStatement("SELECT * FROM shop.purchase WHERE id = ? AND amount > ? AND at < ? AND \"Line No\" = ANY (?) LIMIT ?")) {
                ParameterMetaData m = s.getParameterMetaData();
                List<String> found = new ArrayList<>();
                for (int i = 1; i <= m.getParameterCount(); i++) found.add(m.getParameterTypeName(i));
                return found;
            }
        });
        add("types: go and come back in text", () -> values(5));
        add("types: go and come back in binary", () -> values(-1));
        add("types: arrays", () -> {
            try (Connection c = connect(); PreparedStatement s = c.prepareStatement("SELECT ?::int[], ?::text[], array_length(?, 1)")) {
                s.setArray(1, c.createArrayOf("int4", new Object[] {1, null, 3}));
                s.setArray(2, c.createArrayOf("text", new Object[] {"a", "b,\"", null}));
                s.setArray(3, c.createArrayOf("int8", new Object[] {1L, 2L}));
                return shown(s.executeQuery());
            }
        });
    }

    static Object values(int threshold) throws SQLException {
        try (Connection c = connect("prepareThreshold=" + threshold);
                PreparedStatement s = c.prepareStatement("SELECT ?, ?, ?, ?, ?::date, ?, ?, ?, ?, ?::uuid, ?::timestamptz, ?::time, ?::timestamp")) {
            StringBuilder text = new StringBuilder();
            for (int round = 0; round < 3; round++) {
                s.setInt(1, 1);
                s.setLong(2, 1L << 40);
                s.setBigDecimal(3, new BigDecimal("1.50"));
                s.setString(4, "it's ü");
                s.setDate(5, java.sql.Date.valueOf("2024-02-29"));
                s.setDouble(6, 0.25);
                s.setBoolean(7, true);
                s.setBytes(8, new byte[] {0, -1});
                s.setNull(9, Types.VARCHAR);
                s.setObject(10, new UUID(0, 5));
                s.setObject(11, OffsetDateTime.of(2024, 1, 1, 0, 0, 0, 0, ZoneOffset.UTC));
                s.setObject(12, LocalTime.of(1, 2, 3));
                s.setObject(13, LocalDateTime.of(2024, 1, 1, 1, 2, 3));
                try (ResultSet rows = s.executeQuery()) {
                    rows.next();
                    text.append(rows.getInt(1)).append(rows.getLong(2)).append(rows.getBigDecimal(3)).append(rows.getString(4)).append(rows.getDate(5)).append(rows.getDouble(6))
                            .append(rows.getBoolean(7)).append(Arrays.toString(rows.getBytes(8))).append(rows.getString(9)).append(rows.getObject(10))
                            .append(rows.getObject(11, OffsetDateTime.class)).append(rows.getObject(12, LocalTime.class)).append(rows.getObject(13, LocalDateTime.class)).append('\n');
                }
            }
            return text;
        }
    }

    static void enums() {
        add("enums: written, ordered and described", () -> {
            try (Connection c = connect(); Statement s = c.createStatement()) {
                s.execute("CREATE TYPE feeling AS ENUM ('sad', 'ok', 'happy')");
                s.execute("CREATE TABLE felt (id int, f feeling, many feeling[])");
                try (PreparedStatement p = c.prepareStatement("INSERT INTO felt VALUES (?, ?, ?)")) {
                    for (String word : List.of("happy", "sad")) {
                        p.setInt(1, word.length());
                        p.setObject(2, word, Types.OTHER);
                        p.setArray(3, c.createArrayOf("feeling", new Object[] {word, "ok"}));
                        p.addBatch();
                    }
                    p.executeBatch();
                }
                StringBuilder text = new StringBuilder(shown(s.executeQuery("SELECT f, many FROM felt ORDER BY f")));
                try (PreparedStatement p = c.prepareStatement("SELECT id FROM felt WHERE f = ?")) {
                    p.setObject(1, "none", Types.OTHER);
                    p.executeQuery();
                } catch (SQLException error) {
                    text.append(error.getSQLState()).append(' ').append(error.getMessage().lines().findFirst().orElse(""));
                }
                return text;
            }
        });
        add("domains: described and held", () -> {
            try (Connection c = connect(); Statement s = c.createStatement()) {
                s.execute("CREATE DOMAIN small AS int DEFAULT 3 CHECK (VALUE < 10)");
                s.execute("CREATE TABLE kept (n small)");
                s.execute("INSERT INTO kept DEFAULT VALUES");
                StringBuilder text = new StringBuilder(shown(s.executeQuery("SELECT n FROM kept")));
                try (PreparedStatement p = c.prepareStatement("INSERT INTO kept VALUES (?)")) {
                    p.setInt(1, 11);
                    p.executeUpdate();
                } catch (SQLException error) {
                    text.append(error.getSQLState()).append(' ').append(error.getMessage().lines().findFirst().orElse(""));
                }
                return text;
            }
        });
    }

    static void statements() {
        add("statements: fetch size reads a portal in parts", () -> {
            try (Connection c = connect()) {
                c.setAutoCommit(false);
                try (Statement s = c.createStatement()) {
                    s.setFetchSize(7);
                    ResultSet rows = s.executeQuery("SELECT n FROM generate_series(1, 100) AS n");
                    long sum = 0;
                    while (rows.next()) {
                        sum += rows.getInt(1);
                        if (rows.getInt(1) == 50) try (Statement other = c.createStatement()) { other.executeQuery("SELECT 1"); }
                    }
                    return sum;
                }
            }
        });
        add("statements: batches and keys", () -> {
            try (Connection c = connect("reWriteBatchedInserts=true"); Statement s = c.createStatement()) {
                s.execute("DROP TABLE IF EXISTS batched");
                s.execute("CREATE TABLE batched (id serial PRIMARY KEY, w varchar(10))");
                StringBuilder text = new StringBuilder();
                try (PreparedStatement p = c.prepareStatement("INSERT INTO batched (w) VALUES (?)", Statement.RETURN_GENERATED_KEYS)) {
                    for (int i = 0; i < 5; i++) {
                        p.setString(1, "w" + i);
                        p.addBatch();
                    }
                    text.append(p.executeBatch().length);
                    text.append(shown(p.getGeneratedKeys()));
                }
                try (PreparedStatement p = c.prepareStatement("INSERT INTO batched (w) VALUES (?)")) {
                    for (int i = 0; i < 300; i++) {
                        p.setString(1, "w" + i);
                        p.addBatch();
                    }
                    text.append(p.executeBatch().length);
                }
                s.addBatch("UPDATE batched SET w = 'x' WHERE id = 1");
                s.addBatch("DELETE FROM batched WHERE id > 3");
                return text.append(Arrays.toString(s.executeBatch())).append(shown(s.executeQuery("SELECT * FROM batched ORDER BY id")));
            }
        });
        add("statements: a result set that is changed", () -> {
            try (Connection c = connect(); Statement s = c.createStatement(ResultSet.TYPE_SCROLL_INSENSITIVE, ResultSet.CONCUR_UPDATABLE)) {
                s.execute("DROP TABLE IF EXISTS changed");
                s.execute("CREATE TABLE changed (id int PRIMARY KEY, w text)");
                s.execute("INSERT INTO changed VALUES (1, 'a'), (2, 'b')");
                ResultSet rows = s.executeQuery("SELECT id, w FROM changed");
                rows.absolute(1);
                rows.updateString("w", "z");
                rows.updateRow();
                rows.moveToInsertRow();
                rows.updateInt(1, 3);
                rows.updateString(2, "c");
                rows.insertRow();
                return shown(s.executeQuery("SELECT * FROM changed ORDER BY id"));
            }
        });
        add("statements: several in one", () -> {
            try (Connection c = connect(); Statement s = c.createStatement()) {
                boolean rows = s.execute("SELECT 1 AS a; SELECT 'x' AS b");
                String text = rows + shown(s.getResultSet());
                return text + s.getMoreResults() + shown(s.getResultSet());
            }
        });
        add("statements: escapes", () -> query("SELECT {fn concat('a', 'b')}, {fn ucase('x')}, {d '2024-01-01'}, {fn dayofmonth({d '2024-01-05'})}, {fn year({d '2024-01-05'})}"));
        add("statements: timeout cancels", () -> {
            try (Connection c = connect(); Statement s = c.createStatement()) {
                s.setQueryTimeout(1);
                try {
                    s.execute("SELECT pg_sleep(20)");
                    return "was not cancelled";
                } catch (SQLException e) {
                    return e.getSQLState() + e.getMessage();
                }
            }
        });
        add("statements: errors", () -> {
            StringBuilder text = new StringBuilder();
            for (String sql : List.of("SELECT nothing", "SELEC 1", "SELECT 1/0", "SELECT 'x'::int", "SELECT * FROM nowhere"))
                try {
                    query(sql);
                } catch (SQLException e) {
                    text.append(e.getSQLState()).append(e.getMessage()).append('\n');
                }
            return text;
        });
        add("statements: planned again after ddl", () -> {
            try (Connection c = connect("prepareThreshold=1"); Statement s = c.createStatement()) {
                s.execute("DROP TABLE IF EXISTS replanned");
                s.execute("CREATE TABLE replanned (a int)");
                s.execute("INSERT INTO replanned VALUES (1)");
                String text = "";
                try (PreparedStatement p = c.prepareStatement("SELECT * FROM replanned")) {
                    for (int i = 0; i < 4; i++) {
                        text += shown(p.executeQuery());
                        if (i == 1) s.execute("ALTER TABLE replanned ADD COLUMN b text DEFAULT 'x'");
                    }
                }
                return text;
            }
        });
        add("transactions: savepoints, levels, read only", () -> {
            try (Connection c = connect(); Statement s = c.createStatement()) {
                s.execute("DROP TABLE IF EXISTS saved");
                s.execute("CREATE TABLE saved (n int)");
                c.setAutoCommit(false);
                s.execute("INSERT INTO saved VALUES (1)");
                Savepoint point = c.setSavepoint("here");
                s.execute("INSERT INTO saved VALUES (2)");
                c.rollback(point);
                c.releaseSavepoint(point);
                c.commit();
                String text = shown(s.executeQuery("SELECT n FROM saved"));
                c.commit();
                for (int level : new int[] {Connection.TRANSACTION_READ_UNCOMMITTED, Connection.TRANSACTION_READ_COMMITTED, Connection.TRANSACTION_REPEATABLE_READ, Connection.TRANSACTION_SERIALIZABLE}) {
                    c.setTransactionIsolation(level);
                    text += c.getTransactionIsolation() + shown(s.executeQuery("SHOW transaction_isolation"));
                    c.commit();
                }
                c.setReadOnly(true);
                try {
                    s.execute("INSERT INTO saved VALUES (3)");
                } catch (SQLException e) {
                    text += e.getSQLState();
                }
                return text;
            }
        });
        add("transactions: autosave", () -> {
            try (Connection c = connect("autosave=always"); Statement s = c.createStatement()) {
                c.setAutoCommit(false);
                try {
                    s.execute("SELECT 1/0");
                } catch (SQLException e) {
                    return e.getSQLState() + shown(s.executeQuery("SELECT 1 AS a"));
                }
                return "no error";
            }
        });
        add("copy: in and out", () -> {
            try (Connection c = connect(); Statement s = c.createStatement()) {
                s.execute("DROP TABLE IF EXISTS copied");
                s.execute("CREATE TABLE copied (a int, b text)");
                CopyManager copy = c.unwrap(PGConnection.class).getCopyAPI();
                long in = copy.copyIn("COPY copied FROM STDIN (FORMAT csv)", new StringReader("1,x\n2,\n"));
                StringWriter out = new StringWriter();
                long rows = copy.copyOut("COPY (SELECT * FROM copied ORDER BY a) TO STDOUT", out);
                return in + " " + rows + out;
            }
        });
        add("session: schema, client info, warnings", () -> {
            try (Connection c = connect("ApplicationName=app", "currentSchema=shop", "options=-c statement_timeout=9s"); Statement s = c.createStatement()) {
                String text = c.getSchema() + shown(s.executeQuery("SHOW search_path")) + shown(s.executeQuery("SHOW application_name")) + shown(s.executeQuery("SHOW statement_timeout"));
                c.setSchema("public");
                c.setClientInfo("ApplicationName", "other");
                s.execute("DROP TABLE IF EXISTS never_there");
                return text + c.getSchema() + c.getClientInfo("ApplicationName") + s.getWarnings().getMessage() + c.isValid(TIMEOUT_S);
            }
        });
        add("session: simple protocol", () -> {
            try (Connection c = connect("preferQueryMode=simple"); PreparedStatement s = c.prepareStatement("SELECT ?::int + 1, ?")) {
                s.setInt(1, -4);
                s.setString(2, "it's");
                return shown(s.executeQuery());
            }
        });
        add("session: notifications", () -> {
            try (Connection c = connect(); Statement s = c.createStatement()) {
                s.execute("LISTEN news");
                s.execute("NOTIFY news, 'hello'");
                var heard = c.unwrap(PGConnection.class).getNotifications(5000);
                return heard[0].getName() + heard[0].getParameter();
            }
        });
        add("session: characteristics and discard", () -> {
            try (Connection c = connect(); Statement s = c.createStatement()) {
                s.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY");
                String text = shown(s.executeQuery("SHOW default_transaction_read_only"));
                s.execute("DISCARD ALL");
                return text + shown(s.executeQuery("SHOW default_transaction_read_only"));
            }
        });
    }

    public static void main(String[] arguments) throws Exception {
        url = arguments[0];
        metadata();
        types();
        enums();
        statements();
        for (Map.Entry<String, Case> found : CASES.entrySet()) {
            System.out.println("== " + found.getKey());
            try {
                System.out.println(found.getValue().run());
            } catch (Throwable e) {
                System.out.println("!! " + e);
            }
        }
    }
}
