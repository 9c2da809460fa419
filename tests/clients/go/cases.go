// Cases of lib/pq and pgx: each prints "== name" and its answer, or "!! " and how it failed.
package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgconn"
	"github.com/jackc/pgx/v4"
	"github.com/jackc/pgx/v4/pgxpool"
	_ "github.com/jackc/pgx/v4/stdlib"
	"github.com/lib/pq"
)

const limit = 10 * time.Second

type body func(context.Context) (string, error)

var cases = []struct {
	name string
	run  body
}{
	{"pq: types and parameters", func(ctx context.Context) (string, error) { return typesOf(ctx, "postgres") }},
	{"pq: prepared statements", func(ctx context.Context) (string, error) { return prepared(ctx, "postgres") }},
	{"pq: transactions", func(ctx context.Context) (string, error) { return transactions(ctx, "postgres") }},
	{"pq: arrays", pqArrays},
	{"pq: copy", pqCopy},
	{"pq: errors", pqErrors},
	{"pq: cancel by context", func(ctx context.Context) (string, error) { return cancelled(ctx, "postgres") }},
	{"pq: listen", pqListen},
	{"stdlib: types and parameters", func(ctx context.Context) (string, error) { return typesOf(ctx, "pgx") }},
	{"stdlib: prepared statements", func(ctx context.Context) (string, error) { return prepared(ctx, "pgx") }},
	{"stdlib: transactions", func(ctx context.Context) (string, error) { return transactions(ctx, "pgx") }},
	{"stdlib: cancel by context", func(ctx context.Context) (string, error) { return cancelled(ctx, "pgx") }},
	{"pgx: binary values", pgxValues},
	{"pgx: field descriptions", pgxFields},
	{"pgx: batch", pgxBatch},
	{"pgx: copy", pgxCopy},
	{"pgx: simple protocol", pgxSimple},
	{"pgx: nested transactions", pgxNested},
	{"pgx: errors", pgxErrors},
	{"pgx: pool", pgxPool},
}

func open(driver string) (*sql.DB, error) {
	return sql.Open(driver, "")
}

func connect(ctx context.Context) (*pgx.Conn, error) {
	return pgx.Connect(ctx, "")
}

// Shows all rows of a query, each value with its Go type.
func shown(rows *sql.Rows) (string, error) {
	defer rows.Close()
	columns, err := rows.ColumnTypes()
	if err != nil {
		return "", err
	}
	var text strings.Builder
	for _, column := range columns {
		fmt.Fprintf(&text, "%s %s|", column.Name(), column.DatabaseTypeName())
	}
	for rows.Next() {
		values := make([]interface{}, len(columns))
		places := make([]interface{}, len(columns))
		for i := range values {
			places[i] = &values[i]
		}
		if err := rows.Scan(places...); err != nil {
			return "", err
		}
		for _, value := range values {
			if bytes, ok := value.([]byte); ok {
				value = fmt.Sprintf("bytes %q", bytes)
			}
			if moment, ok := value.(time.Time); ok {
				value = moment.UTC().Format(time.RFC3339Nano)
			}
			fmt.Fprintf(&text, "\n%v", value)
		}
	}
	return text.String(), rows.Err()
}

func typesOf(ctx context.Context, driver string) (string, error) {
	db, err := open(driver)
	if err != nil {
		return "", err
	}
	defer db.Close()
	rows, err := db.QueryContext(ctx, `SELECT 1::int2 AS a, 2 AS b, 3::int8 AS c, 1.50::numeric AS d, 0.5::float4 AS e, 1e10::float8 AS f, 'ü' AS g, true AS h,
		date '2024-01-01' AS i, timestamptz '2024-01-01 00:00:00+00' AS k, '{"a": 1}'::jsonb AS l, '\x00ff'::bytea AS m, NULL AS n,
		$1::int AS o, $2::text AS p, $3::bool AS q, $4::timestamptz AS r, $5::float8 AS s, $6::text IS NULL AS t`,
		1, "it's", true, time.Unix(0, 0), 0.25, nil)
	if err != nil {
		return "", err
	}
	return shown(rows)
}

func prepared(ctx context.Context, driver string) (string, error) {
	db, err := open(driver)
	if err != nil {
		return "", err
	}
	defer db.Close()
	statement, err := db.PrepareContext(ctx, "SELECT n FROM generate_series(1, 10) AS n WHERE n > $1 ORDER BY n LIMIT $2")
	if err != nil {
		return "", err
	}
	defer statement.Close()
	var text string
	for round := 0; round < 3; round++ {
		rows, err := statement.QueryContext(ctx, round, 2)
		if err != nil {
			return "", err
		}
		found, err := shown(rows)
		if err != nil {
			return "", err
		}
		text += found
	}
	return text, nil
}

func transactions(ctx context.Context, driver string) (string, error) {
	db, err := open(driver)
	if err != nil {
		return "", err
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, "DROP TABLE IF EXISTS moved; CREATE TABLE moved (n int)"); err != nil {
		return "", err
	}
	for _, commit := range []bool{true, false} {
		tx, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead})
		if err != nil {
			return "", err
		}
		result, err := tx.ExecContext(ctx, "INSERT INTO moved VALUES ($1), ($2)", 1, 2)
		if err != nil {
			return "", err
		}
		if count, _ := result.RowsAffected(); count != 2 {
			return "", fmt.Errorf("%d rows", count)
		}
		if commit {
			err = tx.Commit()
		} else {
			err = tx.Rollback()
		}
		if err != nil {
			return "", err
		}
	}
	tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelSerializable})
	if err != nil {
		return "", err
	}
	_, refused := tx.ExecContext(ctx, "INSERT INTO moved VALUES (9)")
	if err := tx.Rollback(); err != nil {
		return "", err
	}
	rows, err := db.QueryContext(ctx, "SELECT n FROM moved ORDER BY n")
	if err != nil {
		return "", err
	}
	text, err := shown(rows)
	return fmt.Sprint(text, refused), err
}

func cancelled(ctx context.Context, driver string) (string, error) {
	db, err := open(driver)
	if err != nil {
		return "", err
	}
	defer db.Close()
	short, stop := context.WithTimeout(ctx, 500*time.Millisecond)
	defer stop()
	begin := time.Now()
	_, err = db.ExecContext(short, "SELECT pg_sleep(60)")
	if err == nil || time.Since(begin) > 8*time.Second {
		return "", fmt.Errorf("it was not cancelled: %v", err)
	}
	var one int
	return "cancelled", db.QueryRowContext(ctx, "SELECT 1").Scan(&one)
}

func pqArrays(ctx context.Context) (string, error) {
	db, err := open("postgres")
	if err != nil {
		return "", err
	}
	defer db.Close()
	var numbers []int64
	var words []string
	row := db.QueryRowContext(ctx, "SELECT $1::int8[] || 4::int8, $2::text[]", pq.Array([]int64{1, 2}), pq.Array([]string{"a,b", `"`, ""}))
	if err := row.Scan(pq.Array(&numbers), pq.Array(&words)); err != nil {
		return "", err
	}
	var found int
	err = db.QueryRowContext(ctx, "SELECT count(*) FROM generate_series(1, 9) AS n WHERE n = ANY ($1)", pq.Array([]int64{2, 3, 20})).Scan(&found)
	return fmt.Sprintf("%v %q %d", numbers, words, found), err
}

func pqCopy(ctx context.Context) (string, error) {
	db, err := open("postgres")
	if err != nil {
		return "", err
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, "DROP TABLE IF EXISTS pq_copied; CREATE TABLE pq_copied (a int, b text)"); err != nil {
		return "", err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return "", err
	}
	statement, err := tx.PrepareContext(ctx, pq.CopyIn("pq_copied", "a", "b"))
	if err != nil {
		return "", err
	}
	for n := 0; n < 100; n++ {
		if _, err := statement.ExecContext(ctx, n, fmt.Sprintf("row\t%d", n)); err != nil {
			return "", err
		}
	}
	if _, err := statement.ExecContext(ctx); err != nil {
		return "", err
	}
	if err := statement.Close(); err != nil {
		return "", err
	}
	if err := tx.Commit(); err != nil {
		return "", err
	}
	rows, err := db.QueryContext(ctx, "SELECT count(*), max(b) FROM pq_copied")
	if err != nil {
		return "", err
	}
	return shown(rows)
}

func pqErrors(ctx context.Context) (string, error) {
	db, err := open("postgres")
	if err != nil {
		return "", err
	}
	defer db.Close()
	var text strings.Builder
	for _, query := range []string{"SELECT nothing", "SELEC 1", "SELECT 1/0", "SELECT 'x'::int", "SELECT * FROM nowhere"} {
		_, err := db.ExecContext(ctx, query)
		var failure *pq.Error
		if !errors.As(err, &failure) {
			return "", fmt.Errorf("%s: %v", query, err)
		}
		fmt.Fprintln(&text, failure.Severity, failure.Code, failure.Code.Name(), failure.Message, failure.Position)
	}
	return text.String(), nil
}

func pqListen(ctx context.Context) (string, error) {
	listener := pq.NewListener("", time.Second, time.Minute, nil)
	defer listener.Close()
	if err := listener.Listen("news"); err != nil {
		return "", err
	}
	db, err := open("postgres")
	if err != nil {
		return "", err
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, "NOTIFY news, 'hello'"); err != nil {
		return "", err
	}
	select {
	case heard := <-listener.Notify:
		return heard.Channel + " " + heard.Extra, nil
	case <-time.After(5 * time.Second):
		return "", errors.New("nothing was heard")
	}
}

func pgxValues(ctx context.Context) (string, error) {
	conn, err := connect(ctx)
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, `SELECT $1::int2, $2::int4, $3::int8, $4::float4, $5::float8, $6::text, $7::bool, $8::bytea, $9::int4[], $10::text[], $11::date, $12::timestamp, $13::timestamptz,
		$14::jsonb, $15::text`, int16(1), int32(-2), int64(1)<<40, float32(0.5), 0.25, "ü", true, []byte{0, 255}, []int32{1, 2}, []string{"a", `b"`},
		time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC), time.Date(2024, 1, 1, 1, 2, 3, 4000, time.UTC), time.Unix(0, 0).UTC(), map[string]int{"a": 1}, nil)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	var text strings.Builder
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			return "", err
		}
		for _, value := range values {
			if moment, ok := value.(time.Time); ok {
				value = moment.UTC()
			}
			if bytes, ok := value.([]byte); ok {
				value = fmt.Sprintf("bytes %q", bytes)
			}
			fmt.Fprintf(&text, "%v\n", value)
		}
	}
	return text.String(), rows.Err()
}

func pgxFields(ctx context.Context) (string, error) {
	conn, err := connect(ctx)
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	statement, err := conn.Prepare(ctx, "told", "SELECT $1::int + n AS sum, n::numeric(6,2) AS exact, 'x'::varchar(5) AS word FROM generate_series(1, $2) AS n WHERE n::text LIKE $3")
	if err != nil {
		return "", err
	}
	text := fmt.Sprintln(statement.ParamOIDs)
	for _, field := range statement.Fields {
		text += fmt.Sprintln(string(field.Name), field.DataTypeOID, field.DataTypeSize, field.TypeModifier)
	}
	return text, nil
}

func pgxBatch(ctx context.Context) (string, error) {
	conn, err := connect(ctx)
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, "DROP TABLE IF EXISTS batched"); err != nil {
		return "", err
	}
	if _, err := conn.Exec(ctx, "CREATE TABLE batched (n int PRIMARY KEY)"); err != nil {
		return "", err
	}
	batch := &pgx.Batch{}
	for n := 0; n < 5; n++ {
		batch.Queue("INSERT INTO batched VALUES ($1)", n)
	}
	batch.Queue("SELECT sum(n) FROM batched")
	results := conn.SendBatch(ctx, batch)
	for n := 0; n < 5; n++ {
		if _, err := results.Exec(); err != nil {
			return "", err
		}
	}
	var sum int
	if err := results.QueryRow().Scan(&sum); err != nil {
		return "", err
	}
	if err := results.Close(); err != nil {
		return "", err
	}
	failing := &pgx.Batch{}
	failing.Queue("INSERT INTO batched VALUES (100)")
	failing.Queue("INSERT INTO batched VALUES (1)")
	refused := conn.SendBatch(ctx, failing).Close()
	var count int
	err = conn.QueryRow(ctx, "SELECT count(*) FROM batched").Scan(&count)
	return fmt.Sprint(sum, " ", count, " ", refused), err
}

func pgxCopy(ctx context.Context) (string, error) {
	conn, err := connect(ctx)
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, "DROP TABLE IF EXISTS pgx_copied"); err != nil {
		return "", err
	}
	if _, err := conn.Exec(ctx, "CREATE TABLE pgx_copied (a int, b text, c timestamptz, d float8[])"); err != nil {
		return "", err
	}
	rows := [][]interface{}{{1, "x", time.Unix(0, 0), []float64{0.5}}, {2, nil, nil, nil}}
	count, err := conn.CopyFrom(ctx, pgx.Identifier{"pgx_copied"}, []string{"a", "b", "c", "d"}, pgx.CopyFromRows(rows))
	if err != nil {
		return "", err
	}
	var out strings.Builder
	tag, err := conn.PgConn().CopyTo(ctx, &out, "COPY (SELECT a, b, d FROM pgx_copied ORDER BY a) TO STDOUT")
	return fmt.Sprint(count, string(tag), out.String()), err
}

func pgxSimple(ctx context.Context) (string, error) {
	config, err := pgx.ParseConfig("")
	if err != nil {
		return "", err
	}
	config.PreferSimpleProtocol = true
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	var sum int
	var word string
	err = conn.QueryRow(ctx, "SELECT $1::int + 1, $2", -5, "it's").Scan(&sum, &word)
	return fmt.Sprint(sum, word), err
}

func pgxNested(ctx context.Context) (string, error) {
	conn, err := connect(ctx)
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	var count int
	err = conn.BeginFunc(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "CREATE TABLE nested (n int)"); err != nil {
			return err
		}
		inner := tx.BeginFunc(ctx, func(inner pgx.Tx) error {
			if _, err := inner.Exec(ctx, "INSERT INTO nested VALUES (1)"); err != nil {
				return err
			}
			return errors.New("undo")
		})
		if inner == nil || inner.Error() != "undo" {
			return fmt.Errorf("inner: %v", inner)
		}
		return tx.QueryRow(ctx, "SELECT count(*) FROM nested").Scan(&count)
	})
	return fmt.Sprint(count), err
}

func pgxErrors(ctx context.Context) (string, error) {
	conn, err := connect(ctx)
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, "DROP TABLE IF EXISTS strict"); err != nil {
		return "", err
	}
	if _, err := conn.Exec(ctx, "CREATE TABLE strict (id int PRIMARY KEY, n int CHECK (n > 0))"); err != nil {
		return "", err
	}
	var text strings.Builder
	for _, query := range []string{"INSERT INTO strict VALUES (1, 1), (1, 1)", "INSERT INTO strict VALUES (1, -1)", "INSERT INTO strict VALUES (NULL, 1)", "SELECT 1/0"} {
		_, err := conn.Exec(ctx, query)
		var failure *pgconn.PgError
		if !errors.As(err, &failure) {
			return "", fmt.Errorf("%s: %v", query, err)
		}
		fmt.Fprintln(&text, failure.Code, failure.Message, failure.Detail, failure.SchemaName, failure.TableName, failure.ColumnName, failure.ConstraintName)
	}
	return text.String(), nil
}

func pgxPool(ctx context.Context) (string, error) {
	pool, err := pgxpool.Connect(ctx, "pool_max_conns=4")
	if err != nil {
		return "", err
	}
	defer pool.Close()
	sums := make(chan error, 40)
	for n := 0; n < 40; n++ {
		go func(n int) {
			var found int
			err := pool.QueryRow(ctx, "SELECT $1::int * 2", n).Scan(&found)
			if err == nil && found != 2*n {
				err = fmt.Errorf("%d instead of %d", found, 2*n)
			}
			sums <- err
		}(n)
	}
	for n := 0; n < 40; n++ {
		if err := <-sums; err != nil {
			return "", err
		}
	}
	return "40 answers", nil
}

// Some calls of lib/pq wait without looking at their context.
func within(ctx context.Context, run body) (string, error) {
	type outcome struct {
		answer string
		err    error
	}
	done := make(chan outcome, 1)
	go func() {
		answer, err := run(ctx)
		done <- outcome{answer, err}
	}()
	select {
	case found := <-done:
		return found.answer, found.err
	case <-time.After(limit + time.Second):
		return "", errors.New("no answer in time")
	}
}

func main() {
	for _, found := range cases {
		ctx, stop := context.WithTimeout(context.Background(), limit)
		answer, err := within(ctx, found.run)
		stop()
		fmt.Println("== " + found.name)
		if err != nil {
			fmt.Println("!!", err)
			continue
		}
		fmt.Println(answer)
	}
}
