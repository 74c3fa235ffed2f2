import path from "node:path";

const IMPORT = /^import\s+([^;]*?)\s*from\s+"([^"]+)";/gm;
const LAZY = /\bimport\("([^"]+)"\)/g;
const EXPORT = /^export\s+(?=(?:async\s+)?(?:function\b\*?|const|class)\s*\*?\s*(\w+))/gm;

/** The file that `specifier` means in `file`; `null` for what Node itself brings. Throws for a package. */
function resolved(file: string, specifier: string): string | null {
  if (specifier.startsWith("node:")) return null;
  if (specifier.startsWith("./")) return path.posix.join(path.posix.dirname(file), specifier);
  if (specifier.startsWith("#")) return specifier.slice(1);
  throw new Error(`${file} imports ${specifier}: only our own files and Node can be bundled`);
}

/** Files below `src` that `entry` needs, itself included, by path. `read` gives a file's text without its types. */
export function closure(entry: string, read: (file: string) => string): Map<string, string> {
  const found = new Map<string, string>();
  const open = [entry];
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (found.has(file)) continue;
    const code = read(file);
    found.set(file, code);
    const specifiers = [...code.matchAll(IMPORT), ...code.matchAll(LAZY)].map((match) => match[2] ?? match[1] ?? "");
    for (const specifier of specifiers) {
      const next = resolved(file, specifier);
      if (next !== null) open.push(next);
    }
  }
  return found;
}

/**
 * One CommonJS program out of modules as we write them: named imports and exports, Node's modules whole or by name,
 * no cycles. A dozen small modules cost a Node process as much again as its own start; one file costs nothing.
 * Throws on a form it does not know, so that nothing is ever left out in silence.
 */
export function bundle(entry: string, modules: ReadonlyMap<string, string>): string {
  const bodies = [...modules].map(([file, code]) => {
    const names: string[] = [];
    const body = code
      .replace(IMPORT, (_, clause: string, specifier: string) => {
        const target = resolved(file, specifier);
        const source = target === null ? `require("${specifier}")` : `load("${target}")`;
        return `const ${clause.replace(/\s+as\s+/g, ": ")} = ${source};`;
      })
      .replace(LAZY, (_, specifier: string) => {
        const target = resolved(file, specifier);
        return target === null ? `import("${specifier}")` : `Promise.resolve().then(() => load("${target}"))`;
      })
      .replace(EXPORT, (_, name: string) => {
        names.push(name);
        return "";
      });
    const unknown = /^(?:import|export)\b.*$|\bimport\.meta\b|^const \*.*$/m.exec(body);
    if (unknown !== null) throw new Error(`${file}: this form cannot be bundled: ${unknown[0]}`);
    const kind = file === entry ? "async () =>" : "() =>";
    return `${JSON.stringify(file)}: ${kind} {\n${body}\nreturn { ${names.join(", ")} };\n}`;
  });
  return `"use strict";
const modules = {
${bodies.join(",\n")}
};
const loaded = new Map();
function load(file) {
  if (!loaded.has(file)) loaded.set(file, modules[file]());
  return loaded.get(file);
}
load(${JSON.stringify(entry)}).catch((error) => {
  console.error(error);
  process.exit(1);
});
`;
}
