import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import tls, { type DetailedPeerCertificate } from "node:tls";
import { afterEach, expect, test } from "vitest";
import { parseConfig } from "#config.ts";
import * as der from "#gateway/der.ts";
import { gatewayRole } from "#gateway-role.ts";
import { DoorShut, throughDoor } from "#hosted/tunnel.ts";
import { until } from "#test/chaos/until.ts";
import { freePort } from "#test/command.ts";

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of open.splice(0).reverse()) await end();
});

interface Issued {
  readonly subject: string;
  readonly pem: string;
  readonly key: KeyObject;
}

const DAY_MS = 86_400_000;
const ECDSA_SHA256 = der.sequence(der.oid("1.2.840.10045.4.3.2"));
const name = (text: string) => der.sequence(der.set(der.sequence(der.oid("2.5.4.3"), der.utf8(text))));
const BASIC = der.oid("2.5.29.19");
const ALTERNATIVE = der.oid("2.5.29.17");

/** A certificate as an operator has one: signed by `by`, or by itself. `host`: of a server, which signs nobody. */
function issued(subject: string, by: Issued | null, host: string | null = null): Issued {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const extension =
    host === null
      ? der.sequence(BASIC, der.boolean(true), der.octets(der.sequence(der.boolean(true))))
      : der.sequence(ALTERNATIVE, der.octets(der.sequence(der.implicit(2, Buffer.from(host, "latin1")))));
  const body = der.sequence(
    der.explicit(0, der.integer(Buffer.from([2]))),
    der.integer(createHash("sha256").update(randomBytes(16)).digest().subarray(0, 8)),
    ECDSA_SHA256,
    name(by?.subject ?? subject),
    der.sequence(der.time(new Date(Date.now() - DAY_MS)), der.time(new Date(Date.now() + DAY_MS))),
    name(subject),
    publicKey.export({ type: "spki", format: "der" }),
    der.explicit(3, der.sequence(extension)),
  );
  const signature = sign("sha256", body, { key: by?.key ?? privateKey, dsaEncoding: "der" });
  const base64 = der.sequence(body, ECDSA_SHA256, der.bits(signature)).toString("base64");
  const pem = `-----BEGIN CERTIFICATE-----\n${base64.match(/.{1,64}/g)?.join("\n")}\n-----END CERTIFICATE-----\n`;
  return { subject, pem, key: privateKey };
}

test("the gateway shows the operator's own certificate with its chain, by name and without one", async () => {
  const root = issued("Acme root", null);
  const between = issued("Acme servers", root);
  const leaf = issued("gateway.acme.test", between, "localhost");
  const folder = mkdtempSync(path.join(tmpdir(), "cs-own-"));
  open.push(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(path.join(folder, "chain.pem"), leaf.pem + between.pem);
  writeFileSync(path.join(folder, "key.pem"), leaf.key.export({ type: "pkcs8", format: "pem" }));
  const port = await freePort();
  const config = parseConfig(
    {
      COUNTERSIGN_DATA: path.join(folder, "data"),
      COUNTERSIGN_GATEWAY_URL: "https://localhost",
      COUNTERSIGN_GATEWAY_LISTEN: `127.0.0.1:${port}`,
      COUNTERSIGN_GATEWAY_CERT: "chain.pem",
      COUNTERSIGN_GATEWAY_KEY: "key.pem",
    },
    folder,
  );
  const stop = Promise.withResolvers<void>();
  const ended = gatewayRole(config, stop.promise);
  open.push(() => {
    stop.resolve();
    return ended;
  });

  /** What is shown to whoever trusts the root alone; `null`: nobody listens yet. */
  const shown = async (servername: string | null): Promise<DetailedPeerCertificate | null> => {
    const named = servername === null ? { checkServerIdentity: () => undefined } : { servername };
    const socket = tls.connect({ host: "127.0.0.1", port, ca: [root.pem], ...named });
    try {
      await once(socket, "secureConnect");
      return socket.getPeerCertificate(true);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ECONNREFUSED") return null;
      throw error;
    } finally {
      socket.destroy();
    }
  };
  const print = ({ pem }: Issued) => new X509Certificate(pem).fingerprint256;
  for (const servername of ["localhost", null]) {
    const certificate = await until("the gateway's door", () => shown(servername));
    expect(certificate.fingerprint256).toBe(print(leaf));
    expect(certificate.issuerCertificate.fingerprint256).toBe(print(between));
  }
  const way = { url: `https://localhost:${port}`, token: null, authority: root.pem, proxy: null };
  const shut = await throughDoor(way).catch((error: unknown) => error);
  expect(shut).toBeInstanceOf(DoorShut);
  expect(shut).toMatchObject({ status: 401 });
});
