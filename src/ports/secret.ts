import { inspect } from "node:util";

/**
 * A value that cannot print itself. `reveal()` is called only in `gateway/` and where an adapter builds its client;
 * `test/architecture.test.ts` holds the list of files that may.
 */
export class Secret {
  readonly name: string;
  readonly #value: string;

  constructor(name: string, value: string) {
    this.name = name;
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return `[secret ${this.name}]`;
  }

  toJSON(): string {
    return this.toString();
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

/** Where secrets live. `null` when there is none by that name; throws when the source cannot be read. */
export interface SecretSource {
  get(name: string): Promise<Secret | null>;
}
