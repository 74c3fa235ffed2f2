import type { PGlite, QueryOptions, Results } from "@electric-sql/pglite";
import { loadPglite } from "./drizzle.ts";

type Messages = Awaited<ReturnType<PGlite["execProtocolStream"]>>;

/** What drizzle and pg-boss call of an embedded database. */
export interface Lite {
  query<T>(text: string, values?: readonly unknown[], options?: QueryOptions): Promise<Results<T>>;
  exec(text: string): Promise<Results[]>;
  /** Nothing else runs between its statements. */
  transaction<T>(work: (tx: Pick<Lite, "query" | "exec">) => Promise<T>): Promise<T>;
}

interface Statement {
  readonly name: string;
  /** Type ids of its parameters. */
  readonly types: readonly number[];
  /** The row description that PGlite's own reader of results wants to see before the rows. */
  readonly rows: Messages;
  left: number;
}

/** Statements kept: all that our code makes. Texts that vary endlessly push the oldest out. */
const KEPT = 400;
/** Nobody analyses an embedded database, so no plan is ever called stale: it is made anew after so many uses. */
const USES = 500;

/**
 * The open database with statements that are parsed and planned once. PGlite's own `query` parses each anew and enters
 * the database five times for it, which is most of what a statement costs here. Same results, same errors.
 */
export function lite(client: PGlite): Lite {
  const { parse, protocol } = loadPglite();
  const { serialize } = protocol;
  const known = new Map<string, Statement>();
  let names = 0;

  const send = (...parts: readonly Uint8Array[]): Promise<Messages> =>
    client.execProtocolStream(Buffer.concat(parts), { syncToFs: false });

  async function prepare(text: string): Promise<Statement> {
    const [oldest] = known;
    const spare = known.size >= KEPT && oldest !== undefined ? oldest : null;
    if (spare !== null) known.delete(spare[0]);
    names += 1;
    const name = `s${names}`;
    const said = await send(
      ...(spare === null ? [] : [serialize.close({ type: "S", name: spare[1].name })]),
      serialize.parse({ name, text }),
      serialize.describe({ type: "S", name }),
      serialize.sync(),
    );
    const statement = {
      name,
      types: parse.parseDescribeStatementResults(said),
      rows: said.filter((message) => message.name === "rowDescription"),
      left: USES,
    };
    known.set(text, statement);
    return statement;
  }

  async function statementOf(text: string): Promise<Statement> {
    const statement = known.get(text);
    if (statement === undefined) return prepare(text);
    known.delete(text);
    statement.left -= 1;
    if (statement.left > 0) {
      known.set(text, statement);
      return statement;
    }
    await send(serialize.close({ type: "S", name: statement.name }), serialize.sync());
    return prepare(text);
  }

  function serialized(value: unknown, type: number | undefined): string | null {
    if (value === null || value === undefined) return null;
    const serializer = type === undefined ? undefined : client.serializers[type];
    return serializer ? serializer(value) : String(value);
  }

  /** The query's own before the general ones, which are hundreds: laid over them, not copied for every result. */
  const parsersOf = ({ parsers }: QueryOptions): PGlite["parsers"] =>
    parsers === undefined ? client.parsers : Object.assign(Object.create(client.parsers), parsers);

  async function one<T>(
    text: string,
    values: readonly unknown[] = [],
    options: QueryOptions = {},
  ): Promise<Results<T>> {
    let said: Messages;
    if (values.length === 0) {
      // Mostly what runs once: the tables' own changes.
      said = await send(
        serialize.parse({ text }),
        serialize.bind({ values: [] }),
        serialize.describe({ type: "P" }),
        serialize.execute({}),
        serialize.sync(),
      );
    } else {
      const { name, types, rows } = await statementOf(text);
      const bound = values.map((value, index) => serialized(value, types[index]));
      const answer = await send(
        serialize.bind({ statement: name, values: bound }),
        serialize.execute({}),
        serialize.sync(),
      );
      said = [...rows, ...answer];
    }
    return parse.parseResults(said, parsersOf(options), { rowMode: options.rowMode ?? "object" })[0] as Results<T>;
  }

  // Inside a transaction several may be asked at once: each has the protocol to itself, from question to answer.
  const query: Lite["query"] = (...call) => client.runExclusive(() => one(...call));
  const exec: Lite["exec"] = (text) =>
    client.runExclusive(async () => parse.parseResults(await send(serialize.query(text)), client.parsers));

  return {
    query: (text, values, options) => client._runExclusiveTransaction(() => query(text, values, options)),
    exec: (text) => client._runExclusiveTransaction(() => exec(text)),
    transaction: (work) =>
      client._runExclusiveTransaction(async () => {
        let open = true;
        const still = () => {
          if (!open) throw new Error("The transaction is over.");
        };
        const tx: Parameters<typeof work>[0] = {
          async query(...call) {
            still();
            return query(...call);
          },
          async exec(text) {
            still();
            return exec(text);
          },
        };
        await exec("BEGIN");
        try {
          const value = await work(tx);
          open = false;
          const [end] = await exec("COMMIT");
          if (end?.command !== "COMMIT") throw new Error("The transaction had failed before its end.");
          return value;
        } catch (error) {
          // After a COMMIT that did not succeed there is nothing to undo; Postgres says so in a notice.
          if (open) await exec("ROLLBACK");
          throw error;
        } finally {
          open = false;
        }
      }),
  };
}
