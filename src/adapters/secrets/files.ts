import { readdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { Secret, type SecretSource } from "#ports/secret.ts";

/** Small letters, digits and dashes; folders with "/". What policy can name. */
const NAME = /^[a-z][a-z0-9-]*(?:\/[a-z0-9][a-z0-9-]*)*$/;
/** A header's value; larger is no credential. */
const LARGEST_BYTES = 16_384;
// biome-ignore lint/suspicious/noControlCharactersInRegex: a header's value has none
const CONTROL = /[\u0000-\u001f\u007f]/;

/** Secrets as the operator keeps them. */
export interface KeptSecrets extends SecretSource {
  /** Names that are kept, whether or not each can be read. */
  names(): readonly string[];
  /** Those that can be read now. */
  all(): readonly Secret[];
}

/**
 * Secrets of `folder`, one file each, readable by their owner alone, and those that the environment brought (`given`, by
 * name), which come first. A file is read at every use: a changed one holds from the next request on. `get` throws when
 * others may read the file or when it is no header's value, with the line that mends it.
 */
export function secretFiles(o: { folder: string; given: ReadonlyMap<string, Secret> }): KeptSecrets {
  const fileOf = (name: string) => path.join(o.folder, ...name.split("/"));

  function read(name: string): Secret | null {
    const given = o.given.get(name);
    if (given !== undefined) return given;
    if (!NAME.test(name)) return null;
    const file = fileOf(name);
    try {
      const { mode, size } = statSync(file);
      if ((mode & 0o077) !== 0) {
        throw new Error(
          `${file} can be read by others (mode ${(mode & 0o777).toString(8)}): run \`chmod 600 ${file}\``,
        );
      }
      if (size > LARGEST_BYTES) throw new Error(`${file} is larger than ${LARGEST_BYTES} bytes: it is no credential`);
      const value = readFileSync(file, "utf8").replace(/\r?\n$/, "");
      if (value === "" || CONTROL.test(value)) {
        throw new Error(`${file} is empty or has more than one line: write the value alone into it`);
      }
      return new Secret(name, value);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === "ENOENT" || code === "ENOTDIR") return null;
      throw error;
    }
  }

  function files(): string[] {
    try {
      return readdirSync(o.folder, { recursive: true, withFileTypes: true })
        .filter((entry) => !entry.isDirectory())
        .map((entry) => path.relative(o.folder, path.join(entry.parentPath, entry.name)).split(path.sep).join("/"))
        .filter((name) => NAME.test(name));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
      throw error;
    }
  }

  const names = () => [...new Set([...o.given.keys(), ...files()])].sort();
  return {
    get: async (name) => read(name),
    names,
    all: () =>
      names().flatMap((name) => {
        try {
          return read(name) ?? [];
        } catch {
          // One that cannot be read is given to nobody, and whoever asks for it is told why.
          return [];
        }
      }),
  };
}
