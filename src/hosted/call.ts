import { readFileSync, unlinkSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { INSIDE, MARK } from "./order.ts";

/**
 * Puts one question to the host and prints what it says. Arguments: the host's folder; the question in base64url, or "@"
 * and a file that holds it and that is removed before anything is asked. Exit 3: there is no host; 4: no such file,
 * since this is not the first time that we are run for it.
 */
const [, , folder = "", given = ""] = process.argv;

function questionOf(): string {
  if (!given.startsWith("@")) return Buffer.from(given, "base64url").toString("utf8");
  const file = given.slice(1);
  try {
    const text = readFileSync(file, "utf8");
    unlinkSync(file);
    return text;
  } catch (error) {
    console.error(error);
    return process.exit(4);
  }
}

let said = "";
const line = questionOf();
const socket = net.connect(path.join(folder, INSIDE.control));
socket.setEncoding("utf8").on("data", (piece: string) => {
  said += piece;
});
socket.once("connect", () => socket.write(`${line.replaceAll("\n", " ")}\n`));
socket.once("error", (error) => {
  console.error(`there is no host: ${error.message}`);
  process.exitCode = 3;
});
socket.once("close", () => {
  if (said.endsWith("\n")) process.stdout.write(`\n${MARK}${said.trim()}${MARK}\n`);
  else process.exitCode = 3;
});
