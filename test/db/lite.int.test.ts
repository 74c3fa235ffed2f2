import { afterAll, beforeAll, expect, test } from "vitest";
import { loadPglite } from "#db/drizzle.ts";
import { type Lite, lite } from "#db/lite.ts";

let database: Awaited<ReturnType<typeof open>>;

async function open() {
  const client = await loadPglite().PGlite.create();
  return { client, statements: lite(client) };
}

beforeAll(async () => {
  database = await open();
  await database.statements.exec("create table notes (id int primary key, at timestamptz, words text[], more jsonb)");
}, 60_000);
afterAll(() => database.client.close());

const prepared = async (at: Lite) =>
  (await at.query<{ n: number }>("select count(*)::int as n from pg_prepared_statements where $1", [true])).rows[0]?.n;

test("values go in and come out as PGlite's own query has them", async () => {
  const at = new Date("2026-01-02T03:04:05.678Z");
  const values = [1, at, ["a", 'b"c', null], { deep: [1, null] }];
  const text = "insert into notes values ($1, $2, $3, $4) returning *";
  const { rows, affectedRows } = await database.statements.query(text, values);
  expect(affectedRows).toBe(1);
  expect(rows).toEqual((await database.client.query("select * from notes where id = $1", [1])).rows);
  expect(rows).toEqual([{ id: 1, at, words: ["a", 'b"c', null], more: { deep: [1, null] } }]);
});

test("a statement that is used for ever is planned anew now and then, and texts without end are forgotten", async () => {
  const { statements } = database;
  for (let n = 0; n < 1_100; n += 1) {
    const { rows } = await statements.query<{ twice: number }>("select $1::int * 2 as twice", [n]);
    expect(rows).toEqual([{ twice: n * 2 }]);
  }
  for (let n = 0; n < 500; n += 1) {
    const { rows } = await statements.query(`select $1::int as column_${n}`, [n]);
    expect(rows).toEqual([{ [`column_${n}`]: n }]);
  }
  expect(await prepared(statements)).toBe(400);
});

test("a statement that fails leaves the next one alone, and undoes its transaction", async () => {
  const { statements } = database;
  await expect(
    statements.transaction(async (tx) => {
      await tx.query("insert into notes (id) values ($1)", [2]);
      await tx.query("insert into notes (id) values ($1)", [2]);
    }),
  ).rejects.toMatchObject({ code: "23505" });
  await expect(statements.query("select $1 from nowhere", [1])).rejects.toMatchObject({ code: "42P01" });
  expect((await statements.query("select id from notes where id > $1", [1])).rows).toEqual([]);
  await statements.transaction((tx) => tx.query("insert into notes (id) values ($1)", [2]));
  expect((await statements.query("select id from notes where id > $1", [1])).rows).toEqual([{ id: 2 }]);
});

test("questions that a transaction asks at once are answered each with its own", async () => {
  const answers = await database.statements.transaction((tx) =>
    Promise.all([1, 2, 3, 4].map(async (n) => (await tx.query(`select $1::int as n, ${n % 2} as odd`, [n])).rows)),
  );
  expect(answers).toEqual([1, 2, 3, 4].map((n) => [{ n, odd: n % 2 }]));
});

test("a failure that was swallowed does not pass for a commit", async () => {
  const { statements } = database;
  const swallowed = statements.transaction(async (tx) => {
    await tx.query("insert into notes (id) values ($1)", [3]);
    await tx.query("insert into notes (id) values ($1)", [3]).catch(() => undefined);
  });
  await expect(swallowed).rejects.toThrow("had failed before its end");
  expect((await statements.query("select id from notes where id > $1", [2])).rows).toEqual([]);
});

test("what others ask meanwhile waits for the transaction's end", async () => {
  const { statements } = database;
  let outside: Promise<unknown> = Promise.resolve();
  await statements.transaction(async (tx) => {
    await tx.query("insert into notes (id) values ($1)", [4]);
    outside = statements.query("select id from notes where id > $1", [3]).then(({ rows }) => rows);
    await tx.query("delete from notes where id = $1", [4]);
  });
  expect(await outside).toEqual([]);
});
