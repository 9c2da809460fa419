// Cases of JavaScript clients: each prints one line, {name, answer} or {name, error}.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import pg from 'pg';
import Cursor from 'pg-cursor';
import QueryStream from 'pg-query-stream';
import copyStreams from 'pg-copy-streams';
import postgres from 'postgres';
import knexModule from 'knex';
import { Sequelize, DataTypes, Op } from 'sequelize';

const LIMIT_MS = 30_000;
const cases = [];
function case_(name, body) {
  cases.push([name, body]);
}

async function withClient(body, options = {}) {
  const client = new pg.Client(options);
  await client.connect();
  try {
    return await body(client);
  } finally {
    await client.end();
  }
}

const connection = () => ({
  host: process.env.PGHOST, port: Number(process.env.PGPORT), database: process.env.PGDATABASE,
  user: process.env.PGUSER, password: process.env.PGPASSWORD,
});

case_('pg: types of a row', () => withClient(async (client) => {
  const { rows, fields } = await client.query(`SELECT 1::int2 AS a, 2 AS b, 3::int8 AS c, 1.50::numeric(5,2) AS d, 0.5::float4 AS e, 1e10::float8 AS f,
    'ü' AS g, true AS h, date '2024-01-01' AS i, timestamp '2024-01-01 01:02:03' AS j, timestamptz '2024-01-01 00:00:00+00' AS k, interval '1 day 02:03:04' AS l,
    '{"a":1}'::json AS m, '{"a":1}'::jsonb AS n, array[1,2] AS o, array['a',NULL] AS p, '\\x00ff'::bytea AS q, NULL AS r`);
  return [rows, fields.map((f) => [f.name, f.dataTypeID, f.dataTypeSize, f.dataTypeModifier, f.format])];
}));

case_('pg: parameters', () => withClient(async (client) => {
  const { rows } = await client.query(
    'SELECT $1::int AS a, $2::text AS b, $3::jsonb AS c, $4::int[] AS d, $5::timestamptz AS e, $6::bytea AS f, $7::bool AS g, $8::numeric AS h, $9::text AS i',
    [1, "it's", { a: [1] }, [1, null, 3], new Date(0), Buffer.from([0, 255]), true, '1.50', null]);
  return rows;
}));

case_('pg: binary results', () => withClient(async (client) => {
  const { rows } = await client.query({ text: "SELECT 1 AS a, 'x' AS b, true AS c, 0.5::float8 AS d, array[1,2] AS e", binary: true, values: [] });
  return rows;
}));

case_('pg: prepared by name', () => withClient(async (client) => {
  const found = [];
  for (let n = 0; n < 5; n++) found.push((await client.query({ name: 'twice', text: 'SELECT $1::int * 2 AS n', values: [n] })).rows[0].n);
  return found;
}));

case_('pg: rows as arrays', () => withClient(async (client) =>
  (await client.query({ text: 'SELECT n, n * n FROM generate_series(1, 3) AS n', rowMode: 'array' })).rows));

case_('pg: several statements', () => withClient(async (client) => {
  const results = await client.query("CREATE TEMP TABLE IF NOT EXISTS nothing_much (a int); SELECT 1 AS a; SELECT 'x' AS b");
  return results.map((r) => [r.command, r.rowCount, r.rows]);
}));

case_('pg: commands and counts', () => withClient(async (client) => {
  const found = [];
  for (const text of ['DROP TABLE IF EXISTS counted', 'CREATE TABLE counted (id serial PRIMARY KEY, w text)', "INSERT INTO counted (w) VALUES ('a'), ('b')",
    "UPDATE counted SET w = 'c'", 'DELETE FROM counted WHERE id = 1', 'SELECT * FROM counted', 'TRUNCATE counted']) {
    const { command, rowCount } = await client.query(text);
    found.push([command, rowCount]);
  }
  return found;
}));

case_('pg: transaction', () => withClient(async (client) => {
  await client.query('DROP TABLE IF EXISTS banked; CREATE TABLE banked (n int PRIMARY KEY)');
  await client.query('BEGIN');
  await client.query('INSERT INTO banked VALUES ($1)', [1]);
  await client.query('SAVEPOINT s');
  const error = await client.query('INSERT INTO banked VALUES ($1)', [1]).catch((e) => e);
  await client.query('ROLLBACK TO s');
  await client.query('COMMIT');
  return [error.code, error.constraint, error.table, error.detail, (await client.query('SELECT * FROM banked')).rows];
}));

case_('pg: errors', () => withClient(async (client) => {
  const found = [];
  for (const text of ['SELECT nothing', 'SELEC 1', 'SELECT 1/0', "SELECT 'x'::int", 'SELECT * FROM nowhere', 'SELECT nothing(1)']) {
    const e = await client.query(text).catch((error) => error);
    found.push([e.severity, e.code, e.message, e.position, e.hint ?? null]);
  }
  return found;
}));

case_('pg: cursor', () => withClient(async (client) => {
  const cursor = client.query(new Cursor('SELECT n FROM generate_series(1, $1) AS n', [25]));
  const counts = [];
  for (;;) {
    const rows = await cursor.read(10);
    if (rows.length === 0) break;
    counts.push(rows.length);
  }
  await cursor.close();
  return counts;
}));

case_('pg: query stream', () => withClient(async (client) => {
  let sum = 0;
  for await (const row of client.query(new QueryStream('SELECT n FROM generate_series(1, 1000) AS n', [], { batchSize: 64 }))) sum += row.n;
  return sum;
}));

case_('pg: copy streams', () => withClient(async (client) => {
  await client.query('DROP TABLE IF EXISTS streamed; CREATE TABLE streamed (a int, b text)');
  await pipeline(Readable.from(['1\tx\n', '2\t', '\\N\n']), client.query(copyStreams.from('COPY streamed FROM STDIN')));
  let out = '';
  for await (const part of client.query(copyStreams.to('COPY (SELECT * FROM streamed ORDER BY a) TO STDOUT CSV HEADER'))) out += part;
  return out;
}));

case_('pg: pipelining in one connection', () => withClient(async (client) =>
  (await Promise.all([1, 2, 3, 4].map((n) => client.query('SELECT $1::int AS n', [n])))).map((r) => r.rows[0].n)));

case_('pg: pool', async () => {
  const pool = new pg.Pool({ max: 4 });
  const found = await Promise.all(Array.from({ length: 20 }, (_, n) => pool.query('SELECT $1::int + 1 AS n', [n])));
  await pool.end();
  return found.map((r) => r.rows[0].n);
});

case_('pg: notices', () => withClient(async (client) => {
  const heard = [];
  client.on('notice', (n) => heard.push([n.severity, n.code, n.message]));
  await client.query('DROP TABLE IF EXISTS never_there');
  return heard;
}));

case_('pg: statement timeout', () => withClient(async (client) => {
  const error = await client.query('SELECT pg_sleep(30)').catch((e) => e);
  return [error.code, error.message];
}, { statement_timeout: 300 }));

case_('pg: startup settings', () => withClient(async (client) => [
  (await client.query('SHOW application_name')).rows, (await client.query('SHOW lock_timeout')).rows, (await client.query('SHOW search_path')).rows,
], { application_name: 'node', lock_timeout: 500, options: '-c search_path=a,b' }));

case_('pg: notifications', () => withClient(async (client) => {
  await client.query('LISTEN news');
  const heard = once(client, 'notification', { signal: AbortSignal.timeout(5000) });
  await client.query("NOTIFY news, 'hello'");
  const [message] = await heard;
  return [message.channel, message.payload];
}));

case_('postgres.js: types, parameters, dynamic SQL', async () => {
  const sql = postgres(connection());
  const rows = await sql`SELECT ${1}::int AS a, ${'x'} AS b, ${sql.json({ a: 1 })} AS c, ${sql.array([1, 2])} AS d, ${new Date(0)}::timestamptz AS e, ${null}::text AS f, ${true}::bool AS g`;
  await sql`DROP TABLE IF EXISTS people`.catch(() => {});
  await sql`CREATE TABLE people ${sql.unsafe('(id int, name text)')}`;
  await sql`INSERT INTO people ${sql([{ id: 1, name: 'ann' }, { id: 2, name: 'bob' }])}`;
  const found = await sql`SELECT ${sql(['id', 'name'])} FROM people WHERE id IN ${sql([1, 2])} ORDER BY id`;
  const updated = await sql`UPDATE people SET ${sql({ name: 'cid' }, 'name')} WHERE id = 2 RETURNING *`;
  await sql.end();
  return [[...rows], [...found], [...updated], rows.columns.map((c) => [c.name, c.type])];
});

case_('postgres.js: transactions and cursors', async () => {
  const sql = postgres({ ...connection(), onnotice: () => {} });
  const failed = await sql.begin(async (tx) => {
    await tx`CREATE TABLE never (n int)`;
    throw new Error('undo');
  }).catch((e) => e.message);
  const gone = await sql`SELECT * FROM never`.catch((e) => e.code);
  const kept = await sql.begin('read only', async (tx) => {
    await tx.savepoint((sp) => sp`SELECT 1/0`).catch(() => {});
    return (await tx`SELECT 1 AS a`)[0].a;
  });
  const counts = [];
  await sql`SELECT n FROM generate_series(1, 25) AS n`.cursor(10, (rows) => { counts.push(rows.length); });
  const described = await sql`SELECT 1 AS a, ${'x'}::text AS b`.describe();
  await sql.end();
  return [failed, gone, kept, counts, described.types, described.columns.map((c) => [c.name, c.type])];
});

case_('postgres.js: copy and cancel', async () => {
  const sql = postgres({ ...connection(), onnotice: () => {} });
  await sql`DROP TABLE IF EXISTS poured`;
  await sql`CREATE TABLE poured (a int)`;
  await pipeline(Readable.from(['1\n', '2\n']), await sql`COPY poured FROM STDIN`.writable());
  let out = '';
  for await (const part of await sql`COPY poured TO STDOUT`.readable()) out += part;
  const query = sql`SELECT pg_sleep(30)`;
  setTimeout(() => query.cancel(), 300);
  const code = await query.catch((e) => e.code);
  await sql.end();
  return [out, code];
});

case_('knex: schema builder and queries', async () => {
  const knex = knexModule({ client: 'pg', connection: connection() });
  await knex.schema.dropTableIfExists('knexed');
  await knex.schema.createTable('knexed', (t) => {
    t.increments('id');
    t.string('name', 40).notNullable().unique();
    t.decimal('amount', 10, 2).defaultTo(0);
    t.jsonb('data');
    t.timestamp('created_at').defaultTo(knex.fn.now());
  });
  const ids = await knex('knexed').insert([{ name: 'a', amount: 1.5 }, { name: 'b', data: { x: 1 } }]).returning('id');
  await knex('knexed').insert({ name: 'a', amount: 3 }).onConflict('name').merge();
  await knex.transaction(async (trx) => { await trx('knexed').where({ name: 'b' }).update({ amount: knex.raw('amount + ?', [2]) }); });
  const rows = await knex('knexed').select('id', 'name', 'amount', 'data').whereIn('name', ['a', 'b']).orderBy('id');
  const has = [await knex.schema.hasTable('knexed'), await knex.schema.hasColumn('knexed', 'amount'), await knex.schema.hasTable('nothing')];
  const info = await knex('knexed').columnInfo();
  await knex.schema.alterTable('knexed', (t) => { t.string('more'); t.renameColumn('data', 'facts'); });
  const sums = await knex('knexed').count('* as n').sum('amount as s').first();
  await knex.schema.dropTable('knexed');
  await knex.destroy();
  return [ids, rows, has, info, sums];
});

case_('sequelize: models', async () => {
  const { host, port, database, user, password } = connection();
  const sequelize = new Sequelize(database, user, password, { host, port, dialect: 'postgres', logging: false });
  await sequelize.authenticate();
  const Item = sequelize.define('Item', {
    name: { type: DataTypes.STRING(30), unique: true }, price: DataTypes.DECIMAL(8, 2), facts: DataTypes.JSONB, tags: DataTypes.ARRAY(DataTypes.TEXT), sold: { type: DataTypes.BOOLEAN, defaultValue: false },
  });
  await sequelize.sync({ force: true });
  await Item.bulkCreate([{ name: 'a', price: 1.5, facts: { x: 1 }, tags: ['q'] }, { name: 'b', price: 2 }]);
  const [one] = await Item.findOrCreate({ where: { name: 'c' }, defaults: { price: 5 } });
  await one.update({ price: 6 });
  await Item.upsert({ name: 'a', price: 9 }, { conflictFields: ['name'] });
  const found = await Item.findAndCountAll({ where: { price: { [Op.gt]: 1 } }, order: [['id', 'ASC']], limit: 2, raw: true, attributes: ['name', 'price', 'facts', 'tags', 'sold'] });
  await sequelize.transaction(async (transaction) => { await Item.destroy({ where: { name: 'b' }, transaction }); });
  const described = await sequelize.getQueryInterface().describeTable('Items');
  const indexes = (await sequelize.getQueryInterface().showIndex('Items')).map((i) => [i.name, i.primary, i.unique, i.fields.map((f) => f.attribute)]);
  const total = await Item.sum('price');
  await Item.drop();
  await sequelize.close();
  return [found, total, Object.keys(described), described.name, indexes];
});

for (const [name, body] of cases) {
  const limit = new Promise((_, reject) => setTimeout(() => reject(new Error('no answer in time')), LIMIT_MS).unref());
  try {
    console.log(JSON.stringify({ name, answer: await Promise.race([body(), limit]) }));
  } catch (error) {
    console.log(JSON.stringify({ name, error: `${error.code ?? ''} ${error.stack}` }));
  }
}
assert.ok(cases.length > 0);
process.exit(0);
